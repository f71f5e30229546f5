"""The agents and flows that come with the site: small, and tried on the embedded model, which
speaks English. Their names are said in each language.
"""

from dataclasses import replace

from onglet.agents.config import Agent
from onglet.agents.flow import JUDGE, ROUTER, SEQUENCE, Flow, Part, usual_task
from onglet.agents.loop import BEST

NAMES = {
    "en": {
        "sentence": ("One sentence", "Answers in one short sentence."),
        "child": ("Simple words", "Explains a thing as to a child, with one example."),
        "feeling": ("Mood of a text", "Says whether a text is positive, negative or neutral."),
        "handy": ("Handy helper", "Calculates, converts units, knows the date and keeps notes."),
        "library": ("Your documents", "Looks into the documents you keep here and quotes them."),
        "plotter": (
            "Plots and programs",
            "Plots numbers, tables and formulas; runs Python safely.",
        ),
        "page": ("Small pages", "Writes a small page in HTML, which is drawn for you."),
    },
    "fr": {
        "sentence": ("Une phrase", "Répond en une seule phrase courte (en anglais)."),
        "child": ("Mots simples", "Explique comme à un enfant, avec un exemple (en anglais)."),
        "feeling": ("Humeur d’un texte", "Dit si un texte anglais est positif, négatif ou neutre."),
        "handy": (
            "Petites tâches",
            "Calcule, convertit, connaît la date, prend des notes (anglais).",
        ),
        "library": ("Vos documents", "Cherche dans vos documents et les cite (en anglais)."),
        "plotter": (
            "Courbes et programmes",
            "Trace nombres, tableaux et formules ; exécute du Python à l’abri (anglais).",
        ),
        "page": ("Petites pages", "Écrit une petite page en HTML, dessinée pour vous (anglais)."),
    },
}
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
    "handy": {
        "instructions": "Give short, clear, correct answers.",
        "max_tokens": 256,
        "tools": ("calculator@1", "convert@1", "date@1", "recall@1", "remember@1", "table@1"),
        "openings": (
            "Convert 26.2 miles to kilometers",
            "What is the date in 30 days?",
            "Remember that the spare key is at Maria's.",
            "Where did I say the spare key is?",
        ),
    },
    "library": {
        "instructions": "Give short, clear, correct answers.",
        "max_tokens": 192,
        "tools": ("lookup@1",),
        "openings": ("What do my documents say about the warranty?",),
    },
    "plotter": {
        "instructions": "Give short, clear, correct answers.",
        "max_tokens": 128,
        "tools": ("python@1", "table@1"),
        "openings": (
            "Draw a bar chart: apples 4, pears 7, plums 2",
            "Plot sin(x) / x from -20 to 20",
            "What is the standard deviation of 4, 8, 15, 16, 23, 42?",
            "Make a histogram of 5, 5, 6, 7, 8, 8, 8, 9",
        ),
    },
    "page": {
        "instructions": "You write one small complete HTML page with a style. Answer with a "
        "```html code block alone.",
        "max_tokens": 256,
        "openings": ("A birthday card for Anna",),
    },
}


FLOW_NAMES = {
    "en": {
        "review": ("Two-agent review", "A writer and a critic; then the writer writes it again."),
        "judge": ("Three answers, one judge", "Three agents answer, a fourth chooses the best."),
        "router": ("The right helper", "Chooses the agent that your question is for."),
        "digest": ("Summary and title", "Shortens a text, then finds a title for it."),
    },
    "fr": {
        "review": (
            "Relecture à deux", "Un rédacteur, un critique, puis une version revue (anglais).",
        ),
        "judge": (
            "Trois réponses, un juge", "Trois agents répondent, un quatrième choisit (anglais).",
        ),
        "router": ("Le bon agent", "Choisit l’agent qui convient à votre question (anglais)."),
        "digest": ("Résumé et titre", "Raccourcit un texte, puis lui trouve un titre (anglais)."),
    },
}  # fmt: skip
ROLES = {
    "en": {
        "writer": "Writer", "critic": "Critic", "judge": "Judge", "router": "Guide",
        "summary": "Summary", "title": "Title",
    },
    "fr": {
        "writer": "Rédacteur", "critic": "Critique", "judge": "Juge", "router": "Guide",
        "summary": "Résumé", "title": "Titre",
    },
}  # fmt: skip
PLAYED = {
    "writer": {"instructions": "You write short, clear texts.", "max_tokens": 160},
    "critic": {"instructions": "You say what a text lacks, in one sentence.", "max_tokens": 64},
    "judge": {"instructions": "You choose the answer that is correct and clear."},
    "router": {"instructions": "Choose who shall answer."},
    # the words that the embedded model was trained with
    "summary": {
        "instructions": "Provide a concise, objective summary of the input text in up to three "
        "sentences, focusing on key actions and intentions without using second or third person "
        "pronouns.",
        "max_tokens": 128,
    },
    "title": {"instructions": "You write short titles.", "max_tokens": 24},
}
REVIEW = (
    ("writer", "{question}"),
    ("critic", "{1}\n\nName one thing that this text lacks."),
    ("writer", "{question}\n\nA first draft:\n{1}\n\nAdvice:\n{2}\n\nWrite the better text."),
)
DIGEST = (("summary", "{question}"), ("title", "Write a short title for this text:\n{1}"))
FLOWS = {
    "review": (SEQUENCE, REVIEW, ("Write three sentences about why bees matter.",)),
    "judge": (JUDGE, ("sentence", "child", "writer", "judge"), ("Why is the sky blue?",)),
    "router": (
        ROUTER,
        ("router", "handy", "child", "sentence"),
        ("Convert 26.2 miles to kilometers", "What is gravity?", "What is the capital of France?"),
    ),
    "digest": (
        SEQUENCE,
        DIGEST,
        (
            "The lighthouse was built in 1832 after two ships were lost on the rocks. Its lamp "
            "burned oil for eighty years, then gas, and is electric since 1951.",
        ),
    ),
}


def flows(language: str) -> list[Flow]:
    """Every flow of the gallery, named in a language."""
    found = []
    for key, (name, purpose) in FLOW_NAMES[language].items():
        shape, told, openings = FLOWS[key]
        told = [each if isinstance(each, tuple) else (each, "") for each in told]
        parts = tuple(
            Part(played(role, language), task or usual_task(shape, number, len(told)))
            for number, (role, task) in enumerate(told)
        )
        found.append(Flow(name, shape, parts, purpose, openings))
    return found


def played(role: str, language: str) -> Agent:
    """An agent of a flow: of the gallery, or one that is only there."""
    if role in MADE:
        return Agent(*NAMES[language][role], **MADE[role])
    return Agent(ROLES[language][role], **PLAYED[role])


def agents(language: str) -> list[Agent]:
    """Every agent of the gallery, named in a language."""
    return [
        Agent(name=name, purpose=purpose, **MADE[key])
        for key, (name, purpose) in NAMES[language].items()
    ]


def is_ours(agent: Agent) -> bool:
    """Whether every word of an agent is the site's: one of these, with any tools."""
    return any(
        replace(agent, tools=each.tools, parent=None).hash == each.hash
        for language in NAMES
        for each in agents(language)
    )
