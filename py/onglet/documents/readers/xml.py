"""XML without its dangers, by defusedxml. No document format of its own."""

from typing import TYPE_CHECKING

from onglet.engine.errors import Refused

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SUFFIXES = ()


def parse(data: bytes) -> "Element":
    """The root of a document. Raises Refused: document_bomb (entities), broken_document."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        return fromstring(data, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise Refused("document_bomb") from error
    except (ParseError, ValueError, LookupError) as error:
        raise Refused("broken_document") from error
