"""The inflections of an English word, with which a query is expanded. The index holds words as they are written.

Plurals, -ed, -ing and -ly are made by rule. What a word may itself be an inflection of is kept where the Snowball stemmer
gives both the same stem: "running" finds "run", and "rating" does not find "rat"; "run" does not find "runner". Irregular
forms and the two spellings of -ise and -ize come from short lists.
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
arise arose arisen arises arising
awake awoke awoken awakes awaking
bleed bled bleeds bleeding
breed bred breeds breeding
cling clung clings clinging
creep crept creeps creeping
dig dug digs digging
dwell dwelt dwelled dwells dwelling
flee fled flees fleeing
fling flung flings flinging
forbid forbade forbidden forbids forbidding
foresee foresaw foreseen foresees foreseeing
kneel knelt kneeled kneels kneeling
lay laid lays laying
lean leant leaned leans leaning
leap leapt leaped leaps leaping
light lit lighted lights lighting
mislead misled misleads misleading
mistake mistook mistaken mistakes mistaking
misunderstand misunderstood misunderstands misunderstanding
oversee oversaw overseen oversees overseeing
overtake overtook overtaken overtakes overtaking
partake partook partaken partakes partaking
persevere persevered perseveres persevering
plead pled pleaded pleads pleading
redo redid redone redoes redoing
remake remade remakes remaking
repay repaid repays repaying
rerun reran reruns rerunning
rethink rethought rethinks rethinking
retake retook retaken retakes retaking
rise rose risen rises rising
sew sewed sewn sews sewing
shear sheared shorn shears shearing
shoe shod shoed shoes shoeing
shrink shrank shrunk shrunken shrinks shrinking
slay slew slain slays slaying
slide slid slides sliding
sling slung slings slinging
smell smelt smelled smells smelling
sneak snuck sneaked sneaks sneaking
sow sowed sown sows sowing
speed sped speeded speeds speeding
spill spilt spilled spills spilling
spin spun spins spinning
spit spat spits spitting
spoil spoilt spoiled spoils spoiling
spring sprang sprung springs springing
sting stung stings stinging
stink stank stunk stinks stinking
stride strode stridden strides striding
string strung strings stringing
strive strove striven strives striving
sweep swept sweeps sweeping
swell swelled swollen swells swelling
swing swung swings swinging
tread trod trodden treads treading
undergo underwent undergone undergoes undergoing
underlie underlay underlain underlies underlying
undertake undertook undertaken undertakes undertaking
undo undid undone undoes undoing
unwind unwound unwinds unwinding
uphold upheld upholds upholding
weave wove woven weaves weaving
weep wept weeps weeping
withhold withheld withholds withholding
withstand withstood withstands withstanding
wring wrung wrings wringing
alias aliases aliased aliasing
bacterium bacteria
bias biases biased biasing biassed
bra bras
bus buses busses bused bussed busing bussing
cactus cacti cactuses
calf calves
canvas canvases
curriculum curricula curriculums
elf elves
focus foci focuses focused focusing focussed focusses focussing
fungus fungi funguses
gas gases gasses gassed gassing
grandchild grandchildren
guru gurus
hoof hooves hoofs
lens lenses
medium media mediums
memorandum memoranda memorandums
menu menus
nucleus nuclei
persona personas personae
quantum quanta
radius radii radiuses
scarf scarves scarfs
spa spas
stimulus stimuli
stratum strata
syllabus syllabi syllabuses
vortex vortices vortexes
appendix appendices appendixes
axis axes
basis bases
child children
criterion criteria
foot feet
goose geese
half halves
index indices indexes indexed indexing
knife knives
leaf leaves
life lives
loaf loaves
matrix matrices matrixes
man men
mouse mice
person people persons
phenomenon phenomena
self selves
shelf shelves
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

# What comes before -man in words whose plural is not -men.
_NOT_MEN = frozenset(["ger", "hu", "nor", "otto", "ro", "sha", "talis", "cai", "abdo", "speci", "regi", "acu"])

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
    bases = [base for base in _bases(word) if base != word and _is_base(base, word, stem)]
    found = [word, *(form for base in bases for form in _forms(base))]
    # Nobody inflects an inflected form once more, and the shortest words are of any language: there the stemmer decides.
    is_plain = not bases and len(word) > _SHORTEST
    found += [form for form in _forms(word) if is_plain or _stem(form) == stem]
    return [*found, *_by_ending(word)]


def _is_base(base: str, word: str, stem: str) -> bool:
    """Whether a word is an inflection of another one."""
    known = _stem(base)
    if known == stem:
        return True
    # The stemmer takes -ence and -ative from the word itself, and one f from puffed.
    if base[-2:] in ("ce", "ve", "ue") and word[:-2].startswith(base[:-1]):
        return True
    return base[-2:] == "ff" and known == f"{stem}f" and word.startswith(base)


def _by_ending(word: str) -> list[str]:
    """Other forms by the end of the word, which the stemmer keeps apart."""
    if word.endswith("y"):
        return [f"{word[:-1]}ily"]
    if word.endswith("ily"):
        return [f"{word[:-3]}y"]
    if word.endswith("sis") and len(word) > 5:
        return [f"{word[:-2]}es"]
    if word.endswith(("yses", "eses", "oses", "ases", "ises", "pses")) and len(word) > 5:
        return [f"{word[:-2]}is"]
    if word.endswith("uses") and len(word) > 6:
        return [word[:-2]]
    if word.endswith(("man", "men")) and len(word) > 5 and word[:-3] not in _NOT_MEN:
        return [f"{word[:-2]}{'e' if word[-2] == 'a' else 'a'}n"]
    return []


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
        if base.endswith(("ee", "oe", "ye", "nge", "ue")):
            found.append(f"{base}ing")
        if base.endswith("le"):
            found.append(f"{base[:-1]}y")
        return found
    found = [base, *(base + end for end in ("ed", "ing", "ings", "ly"))]
    hisses = last in "sxz" or base.endswith(("ch", "sh"))
    if hisses or last == "o":
        found.append(f"{base}es")
    if not hisses or base.endswith("ch"):  # stomachs
        found.append(f"{base}s")
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
    return len(base) < 4 or base[-3] not in _VOWELS or base[-4:-2] == "qu"


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
