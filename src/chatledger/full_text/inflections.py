"""The inflections of an English word, with which a query is expanded. The index holds words as they are written.

Plurals, -ed, -ing and -ly are made by rule, and kept where the Snowball stemmer gives them the stem of the word itself:
"run" finds "runs" and "running", and not "runner"; "new" does not find "news". Irregular forms and the two spellings of
-ise and -ize come from short lists.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

_VOWELS = frozenset("aeiou")
_SHORTEST, _LONGEST = 3, 30

# The forms of one word on each line. Words that are common in another meaning (bit, saw, bound) are left out.
_IRREGULAR = """
be am is are was were been being
become became becomes becoming
begin began begun begins beginning
bend bent bends bending
blow blew blown blows blowing
break broke broken breaks breaking
bring brought brings bringing
build built builds building
burn burnt burned burns burning
buy bought buys buying
catch caught catches catching
choose chose chosen chooses choosing
come came comes coming
deal dealt deals dealing
do did done does doing
draw drew drawn draws drawing
dream dreamt dreamed dreams dreaming
drink drank drunk drinks drinking
drive drove driven drives driving
eat ate eaten eats eating
fall fell fallen falls falling
feed fed feeds feeding
feel felt feels feeling
fight fought fights fighting
find found finds finding
fly flew flown flies flying
forget forgot forgotten forgets forgetting
forgive forgave forgiven forgives forgiving
freeze froze frozen freezes freezing
get got gotten gets getting
give gave given gives giving
go went gone goes going
grow grew grown grows growing
hang hung hangs hanging
have had has having
hear heard hears hearing
hide hid hidden hides hiding
hold held holds holding
keep kept keeps keeping
know knew known knows knowing
lead led leads leading
learn learnt learned learns learning
leave left leaves leaving
lend lent lends lending
lose lost loses losing
make made makes making
mean meant means meaning
meet met meets meeting
mimic mimicked mimics mimicking
panic panicked panics panicking
pay paid pays paying
override overrode overridden overrides overriding
overwrite overwrote overwritten overwrites overwriting
overcome overcame overcomes overcoming
picnic picnicked picnics picnicking
prove proved proven proves proving
quiz quizzed quizzes quizzing
rebuild rebuilt rebuilds rebuilding
resend resent resends resending
rewrite rewrote rewritten rewrites rewriting
ride rode ridden rides riding
ring rang rung rings ringing
rise risen rises rising
run ran runs running
say said says saying
see seen sees seeing
seek sought seeks seeking
sell sold sells selling
send sent sends sending
shake shook shaken shakes shaking
shine shone shines shining
shoot shot shoots shooting
show showed shown shows showing
sing sang sung sings singing
sink sank sunk sinks sinking
sit sat sits sitting
sleep slept sleeps sleeping
speak spoke spoken speaks speaking
spell spelt spelled spells spelling
spend spent spends spending
stand stood stands standing
steal stole stolen steals stealing
stick stuck sticks sticking
strike struck strikes striking
swear swore sworn swears swearing
swim swam swum swims swimming
take took taken takes taking
teach taught teaches teaching
tear tore torn tears tearing
tell told tells telling
think thought thinks thinking
throw threw thrown throws throwing
understand understood understands understanding
wake woke woken wakes waking
wear wore worn wears wearing
win won wins winning
withdraw withdrew withdrawn withdraws withdrawing
write wrote written writes writing
analysis analyses
appendix appendices appendixes
axis axes
basis bases
child children
crisis crises
criterion criteria
foot feet
goose geese
half halves
hypothesis hypotheses
index indices indexes indexed indexing
knife knives
leaf leaves
life lives
loaf loaves
man men
matrix matrices matrixes
mouse mice
parenthesis parentheses
person people persons
phenomenon phenomena
self selves
shelf shelves
synthesis syntheses
thesis theses
thief thieves
tooth teeth
vertex vertices vertexes
wife wives
wolf wolves
woman women
"""

# What comes before -ise and -ize, and -yse and -yze.
_SPELLED_TWICE = """
    analy apolog author canon capital categor central character civil colon commercial computer container contextual
    critic crystal custom decentral denormal deserial destabil digit dramat econom emphas energ equal fantas fertil
    final formal general global harmon hydroly hypothes ideal immun individual industrial initial internal
    international item jeopard legal liberal local magnet maxim memor minim mobil modern monet moral national
    neutral normal optim organ paraly parallel parameter parametr patron penal personal plagiar polar popular prior
    priorit privat professional random rational real recogn regular reinitial reorgan revital revolution sanit
    scrutin sensit serial social special stabil standard steril subsid summar symbol sympath synchron synthes
    systemat theor token urban util vandal verbal victim virtual visual vocal
"""
_TWICE = re.compile(r"([a-z]{3,}?[iy])([sz])(e|es|ed|ing|er|ers|ation|ations|able)")

# Forms that the stemmer joins although they are other words: the unwanted ones of each word.
_OTHER_WORDS = {"new": ("news",), "news": ("new",)}


@lru_cache(maxsize=20_000)
def inflections(word: str) -> tuple[str, ...]:
    """The other forms of a word in lower case; none for a word that is not English by its letters."""
    if not (word.isascii() and word.isalpha() and len(word) <= _LONGEST):
        return ()
    found: dict[str, None] = {}
    for spelling in _spellings(word):
        found.update(dict.fromkeys(_regular(spelling)))
    found.update(dict.fromkeys(_irregular().get(word, ())))
    for other in (word, *_OTHER_WORDS.get(word, ())):
        found.pop(other, None)
    return tuple(found)


def _spellings(word: str) -> tuple[str, ...]:
    found = _TWICE.fullmatch(word)
    if found is None or found[1][:-1] + ("" if found[1][-1] == "i" else "y") not in _spelled_twice():
        return (word,)
    return word, f"{found[1]}{'z' if found[2] == 's' else 's'}{found[3]}"


def _regular(word: str) -> list[str]:
    if len(word) < _SHORTEST:
        return [word]
    stem = _stem(word)
    made = (form for base in _bases(word) if base == word or _stem(base) == stem for form in _forms(base))
    # The stemmer keeps happily apart from happy.
    ly = [f"{word[:-1]}ily"] if word.endswith("y") else [f"{word[:-3]}y"] if word.endswith("ily") else []
    return [word, *(form for form in dict.fromkeys(made) if _stem(form) == stem), *ly]


def _bases(word: str) -> list[str]:
    """What a word may be an inflection of, the word itself among them."""
    found = [word]
    if word.endswith("ies") and len(word) > 4:
        found += [f"{word[:-3]}y", word[:-1]]
    elif word.endswith(("ses", "xes", "zes", "ches", "shes", "oes", "ves")):
        found += [word[:-1], word[:-2]]
    elif word.endswith("s") and not word.endswith(("ss", "us")):
        found.append(word[:-1])
    if word.endswith(("sses", "zzes")):
        found.append(word[:-3])
    if word.endswith("ied") and len(word) > 4:
        found += [f"{word[:-3]}y", word[:-1]]
    for suffix in ("ings", "ing", "ed"):
        rest = word.removesuffix(suffix)
        if rest != word and any(letter in "aeiouy" for letter in rest):
            found += [rest, f"{rest}e"]
            if len(rest) > 2 and rest[-1] == rest[-2] and rest[-1] not in _VOWELS:
                found.append(rest[:-1])
            if rest.endswith("y") and suffix != "ed":
                found.append(f"{rest[:-1]}ie")
            if rest.endswith("ck"):
                found.append(rest[:-1])
            break
    if word.endswith("ly") and len(word) > 4:
        rest = word[:-2]
        found += [rest, f"{rest}le"]
        if rest.endswith("i"):
            found.append(f"{rest[:-1]}y")
        if rest.endswith("ical"):
            found.append(rest[:-2])
    return [base for base in dict.fromkeys(found) if len(base) > 1]


def _forms(base: str) -> list[str]:
    """A word and its inflections, by the rules of spelling."""
    last = base[-1]
    if last == "y" and len(base) > 2 and base[-2] not in _VOWELS:
        return [base, *(base[:-1] + end for end in ("ies", "ied", "ily")), f"{base}ing", f"{base}ings"]
    if last == "e":
        found = [base, *(base + end for end in ("s", "d", "ly")), f"{base[:-1]}ing", f"{base[:-1]}ings"]
        if base.endswith("ie"):
            found.append(f"{base[:-2]}ying")
        if base.endswith(("ee", "oe", "ye", "nge")):
            found.append(f"{base}ing")
        if base.endswith("le"):
            found.append(f"{base[:-1]}y")
        return found
    found = [base, *(base + end for end in ("s", "ed", "ing", "ings", "ly"))]
    if last in "sxzo" or base.endswith(("ch", "sh")):
        found.append(f"{base}es")
    if base.endswith("ic"):
        found.append(f"{base}ally")
    if last == "c":
        found += [f"{base}ked", f"{base}king"]
    if _doubles(base):
        found += [f"{base}{last}{end}" for end in ("ed", "ing", "ings", *(("es",) if last in "sz" else ()))]
    elif last in "sl":
        found += [f"{base}{last}ed", f"{base}{last}ing"]
    return found


def _doubles(base: str) -> bool:
    """Whether a word may double its last letter: stop, stopped; quiz, quizzes."""
    if len(base) < 3 or base[-1] in "aeiouwxyh" or base[-2] not in _VOWELS:
        return False
    return len(base) < 4 or base[-3] not in _VOWELS or base[-3:-1] == "ui"


@cache
def _irregular() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in _IRREGULAR.split("\n"):
        forms = tuple(line.split())
        for form in forms:
            found[form] = tuple(dict.fromkeys((*found.get(form, ()), *forms)))
    return found


@cache
def _spelled_twice() -> frozenset[str]:
    return frozenset(_SPELLED_TWICE.split())


@cache
def _stemmer() -> Any:
    from snowballstemmer import stemmer  # type: ignore[import-untyped]  # noqa: PLC0415 - for searches alone; untyped

    return stemmer("english")


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))
