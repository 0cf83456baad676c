"""Ready examples of two texts that begin alike and whose ending turns the meaning."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """Two texts with one beginning; ``gloss`` says in English what each means, where it is not."""

    language: str
    kind: str
    word: str
    first: str
    second: str
    gloss: tuple[str, str] | None = None

    @property
    def label(self) -> str:
        """Its name in the menu and in the address bar."""
        return f"{self.language}, {self.kind}: {self.word}"


_ALL = (
    Example(
        *("English", "homonym", "bank"),
        "She walked to the bank to watch the boats.",
        "She walked to the bank to cash a cheque.",
    ),
    Example(
        *("English", "negation", "good"),
        "The critics said the film was good, and I agree.",
        "The critics said the film was good, but it is not.",
    ),
    Example(
        *("English", "attachment", "with the binoculars"),
        "I watched the man with the binoculars I had just bought.",
        "I watched the man with the binoculars around his neck.",
    ),
    Example(
        *("English", "garden path", "raced"),
        "The horse raced past the barn and won.",
        "The horse raced past the barn fell.",
    ),
    Example(
        *("German", "homonym", "Schloss"),
        "Das Schloss war so alt, dass der Schlüssel nicht mehr passte.",
        "Das Schloss war so alt, dass schon Könige darin gewohnt hatten.",
        (
            "The lock was so old that the key no longer fitted.",
            "The castle was so old that kings had once lived in it.",
        ),
    ),
    Example(
        *("German", "negation", "nicht"),
        "Ich mag diesen Film sehr.",
        "Ich mag diesen Film nicht.",
        ("I like this film very much.", "I do not like this film."),
    ),
    Example(
        *("German", "verb particle", "zu, ab"),
        "Sie sagte das Treffen am Montag zu.",
        "Sie sagte das Treffen am Montag ab.",
        ("She agreed to the meeting on Monday.", "She cancelled the meeting on Monday."),
    ),
    Example(
        *("French", "homonym", "avocat"),
        "Cet avocat est trop mûr pour la salade.",
        "Cet avocat est trop occupé pour me défendre.",
        ("This avocado is too ripe for the salad.", "This lawyer is too busy to defend me."),
    ),
    Example(
        *("French", "negation", "pas, que"),
        "Elle ne lit pas de romans.",
        "Elle ne lit que des romans.",
        ("She reads no novels.", "She reads nothing but novels."),
    ),
    Example(
        *("Spanish", "homonym", "banco"),
        "Fuimos al banco a sacar dinero.",
        "Fuimos al banco a sentarnos un rato.",
        ("We went to the bank to take out money.", "We went to the bench to sit for a while."),
    ),
    Example(
        *("Russian", "homonym", "замок"),
        "Этот старый замок стоит на холме.",
        "Этот старый замок больше не запирается.",
        ("This old castle stands on a hill.", "This old lock no longer locks."),
    ),
    Example(
        *("Turkish", "negation", "-me-"),
        "Bu filmi beğendim.",
        "Bu filmi beğenmedim.",
        ("I liked this film.", "I did not like this film."),
    ),
    Example(
        *("Chinese", "homonym", "杜鹃"),
        "山上的杜鹃开花了。",
        "山上的杜鹃飞走了。",
        ("The azaleas on the hill are in bloom.", "The cuckoo on the hill has flown away."),
    ),
    Example(
        *("Japanese", "negation", "ではありません"),
        "私はこの映画が好きです。",
        "私はこの映画が好きではありません。",
        ("I like this film.", "I do not like this film."),
    ),
    Example(
        *("Arabic", "homonym", "عين"),
        "هذه العين ماؤها عذب.",
        "هذه العين تحتاج إلى طبيب.",
        ("The water of this spring is sweet.", "This eye needs a doctor."),
    ),
)
EXAMPLES = {example.label: example for example in _ALL}
"""By label, in the order of the menu."""
