"""Chat templates: what real ones write; no hostile one gets out, fills memory or lingers."""

import resource
import sys
import time

import jinja2
import pytest

from onglet.engine.chat_template import TAGS_LIMIT, TEMPLATE_LIMIT, render
from onglet.engine.errors import Refused

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA_3 = """{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if strftime_now is defined %}{{- "Today: " + strftime_now("%Y") + "\\n" }}{%- endif %}
{{- system + "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'
            + message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {{- message.tool_calls[0].function | tojson }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
THINKING = """{%- set ns = namespace(last=-1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.last < 0 and message.role == "user" and not(message.content.startswith('<tool>')) %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "assistant" and '</think>' in message.content %}
        {%- generation %}{{ message.content.split('</think>')[-1].lstrip() }}{% endgeneration %}
    {%- else %}
        {{- loop.index0 ~ ':' ~ message.content ~ (' <' if loop.index0 == ns.last else ' ') }}
    {%- endif %}
{%- endfor %}
{{- '/' ~ ns.last }}"""
TALK = [
    {"role": "user", "content": "Hi <b>"},
    {"role": "assistant", "content": "<think>x</think>\nHello"},
    {"role": "user", "content": "Bye"},
]
ASKED = [{"role": "user", "content": "Hi"}]


def test_chatml():
    assert render(CHATML, ASKED) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert render(CHATML, ASKED, answer=False) == "<|im_start|>user\nHi<|im_end|>\n"


def test_llama_3():
    text = render(LLAMA_3, [{"role": "system", "content": " Be kind. "}, *TALK], bos="<|bos|>")
    year = time.strftime("%Y")
    assert text.startswith(
        "<|bos|><|start_header_id|>system<|end_header_id|>\n\nToday: "
        + year
        + "\nBe kind.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi <b><|eot_id|>"
    )
    assert text.endswith("<|start_header_id|>assistant<|end_header_id|>\n\n")


def test_namespaces_slices_and_generation_marks():
    assert render(THINKING, TALK) == "0:Hi <b> Hello2:Bye </2"


def test_tojson_is_that_of_hugging_face():
    assert render("{{ messages|tojson }}", [{"role": "é", "content": "<'&>"}]) == (
        '[{"role": "é", "content": "<\'&>"}]'
    )
    assert render("{{ [1]|tojson(indent=2) }}", ASKED) == "[\n  1\n]"


def test_blocks_are_trimmed_as_hugging_face_does():
    assert render("  {% if true %}\na\n  {% endif %}\nb", ASKED) == "a\nb"


def test_a_template_may_refuse_the_messages():
    with pytest.raises(Refused) as refused:
        render("{{ raise_exception('roles must alternate') }}", TALK)
    assert refused.value.values == {"reason": "roles must alternate"}


@pytest.mark.parametrize("template", [None, ""])
def test_no_template_is_said(template):
    with pytest.raises(Refused) as refused:
        render(template, ASKED)
    assert refused.value.code == "no_chat_template"


def test_a_trace_function_is_put_back():
    def trace(*_):
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        render(CHATML, ASKED)
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)


ESCAPES = """
{{ ''.__class__ }}
{{ ''.__class__.__mro__[1].__subclasses__() }}
{{ ''['__class__'] }}
{{ ''|attr('__class__') }}
{{ messages.__class__.__base__.__subclasses__() }}
{{ messages|map(attribute='__class__')|list }}
{{ messages|map('attr', '__class__')|list }}
{{ ['x']|map(attribute='upper.__globals__')|list }}
{{ messages|selectattr('__class__')|list }}
{{ messages|sum(attribute='__class__') }}
{{ messages|join(attribute='__class__') }}
{{ messages|sort(attribute='__init__.__globals__') }}
{{ messages|unique(attribute='__class__')|list }}
{{ messages|max(attribute='__class__') }}
{{ self.__init__.__globals__ }}
{{ self._TemplateReference__context }}
{{ self._TemplateReference__context.environment }}
{{ cycler.__init__.__globals__.os.popen('id').read() }}
{{ joiner.__init__.__globals__.os.popen('id').read() }}
{{ namespace.__init__.__globals__.os.popen('id').read() }}
{{ lipsum.__globals__['os'].popen('id').read() }}
{{ lipsum.__globals__.__builtins__.open('/etc/passwd').read() }}
{{ range.__class__ }}
{{ range.__self__ }}
{{ raise_exception.__globals__ }}
{{ raise_exception.__globals__['sys'].modules['os'].system('id') }}
{{ strftime_now.__globals__.sys }}
{{ strftime_now.__code__ }}
{{ loop.__class__ }}
{% for x in [1] %}{{ loop.__class__.__init__.__globals__ }}{% endfor %}
{% for x in [1] %}{{ loop._iterator }}{{ loop._to_iterator.__globals__ }}{% endfor %}
{% for x in [1] %}{{ loop.cycle.__globals__ }}{{ loop.cycle.__func__ }}{% endfor %}
{% macro m() %}{% endmacro %}{{ m.__call__.__globals__ }}
{% macro m() %}{% endmacro %}{{ m._environment }}
{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}
{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}
{% set n = namespace() %}{{ n.__init__.__globals__ }}
{% set n = namespace() %}{{ n._Namespace__attrs }}
{% set n = namespace() %}{% set n.__class__ = 1 %}
{{ undefined.__init__.__globals__ }}
{{ undefined._undefined_exception }}
{{ undefined._fail_with_undefined_error.__globals__ }}
{{ '{0.__class__}'.format(1) }}
{{ '{0.__class__.__mro__}'.format_map({'0': 1}) }}
{{ '%s' % messages.__class__ }}
{{ ('{0.__cl' ~ 'ass__}')|format(1) }}
{{ 'a'.encode() }}
{{ 'a'.translate({}) }}
{{ 'a'.format.__self__ }}
{{ 'a'.upper.__self__.__class__ }}
{{ 'a'.join.__call__ }}
{{ (1).__class__ }}
{{ (1).real.__class__ }}
{{ (1.5).as_integer_ratio.__self__.__class__ }}
{{ true.__class__ }}
{{ none.__class__ }}
{{ {}.__class__ }}
{{ {}.setdefault }}
{{ [].append(1) }}
{{ messages.append(1) }}
{{ messages.clear() }}
{{ messages[0].update({'role': 'system'}) }}
{{ messages[0].pop('role') }}
{{ messages[0].__setitem__('role', 'system') }}
{% do messages.append(1) %}
{% include '/etc/passwd' %}
{% include ['/etc/passwd', 'x'] %}
{% import 'os' as os %}{{ os.system('id') }}
{% from 'os' import system %}{{ system('id') }}
{% extends '/etc/passwd' %}
{{ get_flashed_messages.__globals__ }}
{{ url_for.__globals__ }}
{{ config.__class__.from_envvar.__globals__ }}
{{ request.application.__globals__.__builtins__.__import__('os').popen('id').read() }}
{{ ().__class__.__bases__[0].__subclasses__()[59].__init__.func_globals }}
{{ __import__('os').system('id') }}
{{ open('/etc/passwd').read() }}
{{ eval('1') }}
{{ exec('1') }}
{{ environment }}
{{ context }}
{{ context.environment.globals }}
{{ __builtins__ }}
{{ dict.__mro__ }}
{{ dict(a=1).__class__ }}
{{ messages|list|attr('append') }}
{{ messages|pprint }}
{{ 'os'|import }}
{{ ''|xmlattr }}
{{ messages|groupby('__class__') }}
{{ messages|batch(2)|list }}
{{ messages|tojson(default=raise_exception) }}
{{ messages|tojson(cls=raise_exception) }}
{{ messages|tojson(**{'cls': namespace}) }}
{{ 'x' is callable }}{{ raise_exception is callable }}{{ (raise_exception|string) }}
{% filter attr('__class__') %}x{% endfilter %}
{% autoescape true %}{{ ''.__class__ }}{% endautoescape %}
{% set x = ''.__class__ %}{{ x }}
{% with c = ''.__class__ %}{{ c.__mro__ }}{% endwith %}
{{ ''.__class__.__init__.__globals__ if true }}
{{ 'a'.replace.__class__ }}
{{ raise_exception(raise_exception.__globals__) }}
""".strip().splitlines()
MARKS = ("<class", "__globals__", "root:", "uid=", "<module", "__builtins__")
WATCHED = ("open", "os.", "subprocess.", "socket.", "shutil.", "ctypes.")


class Watch:
    """Hears what the interpreter is asked to do while `on` (audit hooks cannot be taken away)."""

    def __init__(self):
        self.on = False
        self.heard = []
        sys.addaudithook(self.hear)

    def hear(self, event, arguments):
        if self.on and event.startswith(WATCHED):
            self.heard.append((event, arguments))


@pytest.fixture(scope="module")
def watch() -> Watch:
    return Watch()


def outcome(template: str, messages: list[dict]) -> str:
    try:
        return render(template, messages)
    except Refused as refused:
        assert refused.code == "template_failed"
        return ""


@pytest.mark.parametrize("template", ESCAPES)
def test_no_template_gets_out(template, watch):
    messages = [{"role": "user", "content": "Hi"}]
    watch.heard.clear()
    watch.on = True
    said = outcome(template, messages)
    watch.on = False
    assert not [mark for mark in MARKS if mark in said]
    assert watch.heard == []
    assert messages == [{"role": "user", "content": "Hi"}]


DOUBLING = "{{% set n = namespace(x={0}) %}}{{% for i in range(60) %}}{1}{{% endfor %}}"
GREEDY = [
    DOUBLING.format("'a'", "{% set n.x = n.x ~ n.x %}"),
    DOUBLING.format("'a'", "{% set n.x = n.x + n.x %}"),
    DOUBLING.format("'a'", "{% set n.x = n.x * 9 %}"),
    DOUBLING.format("'a'", "{% set n.x = [n.x, n.x]|join %}"),
    DOUBLING.format("'a'", "{% set n.x = ''.join([n.x, n.x]) %}"),
    DOUBLING.format("'a'", "{% set n.x = n.x|replace('a', 'aa') %}"),
    DOUBLING.format("'a'", "{% set n.x = n.x.replace('a', 'aa') %}"),
    DOUBLING.format("'a'", "{% set y %}{{ n.x }}{{ n.x }}{% endset %}{% set n.x = y %}"),
    DOUBLING.format("'a'", "{% set n.x = (n.x|tojson)|tojson %}"),
    DOUBLING.format("'a'", "{% set n.x = (n.x|safe) + (n.x|safe) %}"),
    "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}"
    + DOUBLING.format("'a'", "{% set n.x = m(n.x) %}"),
    DOUBLING.format("[1]", "{% set n.x = [n.x, n.x] %}") + "{{ n.x }}",
    DOUBLING.format("[1]", "{% set n.x = (n.x, n.x) %}") + "{{ n.x }}",
    DOUBLING.format("[1]", "{% set n.x = {'a': n.x, 'b': n.x} %}") + "{{ n.x|tojson }}",
    DOUBLING.format("[1]", "{% set n.x = n.x + n.x %}") + "{{ n.x|length }}",
    DOUBLING.format("[1]", "{% set n.x = n.x * 9 %}") + "{{ n.x|length }}",
    "{% macro m() %}{% set n.x = varargs %}{% endmacro %}"
    + DOUBLING.format("[1]", "{{ m(n.x, n.x) }}"),
    DOUBLING.format("[1]", "{% set n.x = [n.x] %}") + "{{ n.x }}",
    DOUBLING.format("9", "{% set n.x = n.x * n.x %}"),
    DOUBLING.format("9", "{% set n.x = n.x ** n.x %}"),
    "{% set n = namespace() %}{% set n.n = n %}{{ [n, n]|string }}",
    "{{ 'a' * 1000000000 }}",
    "{{ 1000000000 * 'a' }}",
    "{{ [1] * 1000000000 }}",
    "{{ 10 ** 1000000000 }}",
    "{{ 2 ** (2 ** 40) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ 'a'.ljust(1000000000) }}",
    "{{ 'a'.zfill(1000000000) }}",
    "{{ 'a'|center(1000000000) }}",
    "{{ 'a'|indent(1000000000, true) }}",
    "{{ ('a\n' * 1000000)|indent(1000) }}",
    "{{ [1]|tojson(indent=1000000000) }}",
    "{{ 1.5|round(1000000000) }}",
    "{{ (5).to_bytes(1000000000) }}",
    "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
    "{{ ('a' * 1000000)|replace('a', 'b' * 1000000) }}",
    "{{ ('a' * 1000000).replace('', 'b' * 1000) }}",
    "{{ ('a' * 1000000).join('b' * 1000000) }}",
    "{{ ('b' * 1000000)|join('a' * 1000000) }}",
    "{{ range(1000000000)|list }}",
    "{{ strftime_now('%c' * 1000000) }}",
    "{{ 'a'.expandtabs(1000000000) }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{{ 'x' * 100000 }}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% macro f(n) %}{% for i in range(99) %}{{ f(n) }}{% endfor %}{% endmacro %}{{ f(1) }}",
]


@pytest.mark.parametrize("template", GREEDY)
def test_a_greedy_template_is_stopped(template):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    with pytest.raises(Refused) as refused:
        render(template, ASKED)
    assert refused.value.code == "template_failed"
    assert time.monotonic() - start < 5  # the deadline is 1 s; the machine may be busy
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.parametrize(
    "template",
    [
        "x" * (TEMPLATE_LIMIT + 1),
        "{{ 1 }}" * (TAGS_LIMIT + 1),
        "{{ 'a'" + "|upper" * 8000 + " }}",
        "{{ " + "(" * 30 + "1" + ")" * 30 + " }}",
        "{{" + "(" * 3000 + ")" * 3000 + "}}",
        "{{ " + "[" * 3000 + "]" * 3000 + " }}",
        "{% if 1 %}" * 3000,
        "{{-" * 3000,
        "{# " * 20_000,
        "{{ 1" + " + 1" * 3000 + " }}",
        "{% endfor %}",
        "{{ 'a }}",
        "{% unknown %}",
        "{{ messages | nothing }}",
        "{{ messages is nothing }}",
        "{{ messages[0]['role']() }}",
        "{{ 1 / 0 }}",
        "{{ 1 + 'a' }}",
        "{{ messages[99].role.x }}",
        "{{ 'a'.index('b') }}",
        "{{ '\ud800'.encode() }}",
    ],
)
def test_what_is_no_template_is_refused(template):
    with pytest.raises(Refused) as refused:
        render(template, ASKED)
    assert refused.value.code == "template_failed"


def test_long_messages_are_written_whole():
    long = "word " * 100_000
    assert long in render(CHATML, [{"role": "user", "content": long}])


def test_the_sandbox_is_the_jinja_we_know():
    assert jinja2.__version__.startswith("3.1.")
