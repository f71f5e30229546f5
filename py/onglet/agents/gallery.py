"""The agents that come with the site: small, and tried on the embedded model, which speaks English.
Their names are said in each language.
"""

from dataclasses import replace

from onglet.agents.config import Agent
from onglet.agents.loop import BEST

NAMES = {
    "en": {
        "sentence": ("One sentence", "Answers in one short sentence."),
        "child": ("Simple words", "Explains a thing as to a child, with one example."),
        "feeling": ("Mood of a text", "Says whether a text is positive, negative or neutral."),
        "contact": ("Contact card", "Takes name, phone and e-mail out of a text, as JSON."),
    },
    "fr": {
        "sentence": ("Une phrase", "Répond en une seule phrase courte (en anglais)."),
        "child": ("Mots simples", "Explique comme à un enfant, avec un exemple (en anglais)."),
        "feeling": ("Humeur d’un texte", "Dit si un texte anglais est positif, négatif ou neutre."),
        "contact": (
            "Carte de contact",
            "Tire d’un texte anglais nom, téléphone, courriel (JSON).",
        ),
    },
}
WORD = {"type": "string"}
COPYING = replace(BEST, repeat_penalty=1.0)  # what is copied repeats what was said
MADE = {
    "sentence": {
        "instructions": "Answer with one short, correct sentence.",
        "max_tokens": 64,
        "openings": ("What is the capital of France?", "Why is the sky blue?"),
    },
    "child": {
        "instructions": "Explain in simple words for a child. Give one example. Be brief.",
        "max_tokens": 256,
        "openings": ("What is gravity?", "What does a doctor do?"),
    },
    "feeling": {
        "instructions": "Say whether the feeling of the text is positive, negative or neutral.",
        "max_tokens": 32,
        "sampling": COPYING,
        "openings": ("I love this place, the food was wonderful!", "The room was dirty and cold."),
        "form": {
            "type": "object",
            "properties": {"feeling": {"enum": ["positive", "negative", "neutral"]}},
            "required": ["feeling"],
        },
    },
    "contact": {
        "instructions": "Copy the name, the phone number and the e-mail address from the text.",
        "max_tokens": 96,
        "sampling": COPYING,
        "openings": ("Call Mary Miller at 555-0142 or write to mary@example.org.",),
        "form": {
            "type": "object",
            "properties": {"name": WORD, "phone": WORD, "email": WORD},
            "required": ["name", "phone", "email"],
        },
    },
}


def agents(language: str) -> list[Agent]:
    """Every agent of the gallery, named in a language."""
    return [
        Agent(name=name, purpose=purpose, **MADE[key])
        for key, (name, purpose) in NAMES[language].items()
    ]
