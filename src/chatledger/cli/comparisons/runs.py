"""Comparisons as they happen: prompts sent to every variant, and people asked which answer is better."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Annotated

import typer

from chatledger.cli.arguments.options import Actor, AsJson, Database, Owner
from chatledger.cli.comparisons.compare import GroupId, app
from chatledger.cli.comparisons.trial import RUN, Trial, prompts_of
from chatledger.cli.errors import FAILED, report
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.progress import counting
from chatledger.cli.output.screen import Screen, counted
from chatledger.cli.responders.answers import Responder
from chatledger.cli.responders.responder import responder_of
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.schemas import ComparisonResult
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

_KEYS = {"a": "the first", "b": "the second", "t": "a draw", "s": "skip", "q": "end"}


@app.command()
def run(
    group_id: GroupId,
    prompts: Annotated[
        Path,
        typer.Argument(
            metavar="PROMPTS", show_default=False, exists=True, dir_okay=False,
            help="A prompt on each line; or JSON Lines with `prompt`, and `key` and `system` where wanted.",
        ),
    ],
    functions: Annotated[
        list[str] | None,
        typer.Option("--responder", metavar="VARIANT=MODULE:FUNCTION", help="May be repeated.", show_default=False),
    ] = None,
    commands: Annotated[
        list[str] | None,
        typer.Option("--exec", metavar="VARIANT=COMMAND", help="May be repeated; run without a shell."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="How long a command may take.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the order in which variants are asked.")] = 0,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Send every prompt to every variant, and record the conversations with their times and costs.

    Each prompt of each variant is a session of its own. What is answered is not asked again, so that a run that was
    stopped goes on; what failed is named, and asked again by the next run. Nothing is locked while a variant thinks.
    """
    responders = dict(_responders(functions, commands, timeout))
    asked = list(prompts_of(prompts.read_bytes()))
    failures: list[dict[str, str]] = []
    done = kept = 0
    with opened_for(db, user) as ledger, counting("asking") as show:
        with ledger.read() as uow:
            group = uow.comparisons.get(group_id)
        for name in responders:
            if name not in group.variants:
                raise InvalidInput(
                    "variant", f"{name!r} is none of this comparison: run `chatledger compare add` first"
                )
        trial = Trial(ledger, group, {*trial_done(ledger, group_id)})
        for place, prompt in enumerate(asked, 1):
            order = list(responders)
            random.Random(f"{seed}/{prompt.key}").shuffle(order)
            for variant in order:
                outcome = trial.ask(prompt, variant, responders[variant], order.index(variant) + 1)
                if outcome is None:
                    kept += 1
                elif outcome:
                    failures.append({"prompt": prompt.key, "variant": variant, "reason": outcome})
                    report(f"prompt {prompt.key!r}, {variant}: {outcome}")
                else:
                    done += 1
            show(f"{place} of {len(asked)}")
    if as_json:
        write_document({"answered": done, "kept": kept, "failures": failures})
    else:
        before = f", {counted(kept, 'answer')} were there" if kept else ""
        Screen().line(f"{counted(done, 'answer')} to {counted(len(asked), 'prompt')}{before}, {len(failures)} failed")
    if failures:
        raise typer.Exit(FAILED)


def trial_done(ledger: Transactions, group_id: str) -> Iterator[tuple[str, str]]:
    """The prompts and variants that an earlier run has brought to an end."""
    with ledger.read() as uow:
        for result in uow.comparisons.results(group_id, judge=RUN):
            yield result.prompt_key, result.variant_a


@app.command()
def vote(
    group_id: GroupId,
    seed: Annotated[int, typer.Option(help="Of the sides on which answers are shown.")] = 0,
    user: Owner = None,
    actor: Actor = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show two answers, without saying whose they are, and take a verdict: a, b, t (draw), s (skip), q (end).

    Verdicts are recorded as they are given, with the side on which each answer stood; what this judge has judged is not
    shown again. The judge is --actor, else your login name.
    """
    if actor is None:
        raise typer.BadParameter("name who judges", param_hint="'--actor'")
    judge, screen = actor, Screen.errors() if as_json else Screen()
    votes = 0
    with opened_for(db, user) as ledger:
        for prompt_key, pair in _open_pairs(ledger, group_id, judge):
            sides = list(pair)
            random.Random(f"{seed}/{prompt_key}/{'/'.join(sorted(pair))}").shuffle(sides)
            if not _show(screen, ledger, prompt_key, [pair[name] for name in sides]):
                continue
            key = _pressed(screen)
            if key == "q":
                break
            if key == "s":
                continue
            preference = {"a": 0.0, "b": 1.0, "t": 0.5}[key]
            one, two = sides
            ledger.run(_verdict(group_id, prompt_key, judge, one, two, preference))
            votes += 1
    if as_json:
        write_document({"judge": judge, "votes": votes})
    else:
        screen.line(f"{counted(votes, 'vote')} by {judge}")


def _verdict(
    group_id: str, prompt_key: str, judge: str, one: str, two: str, preference: float
) -> Callable[[UnitOfWork], ComparisonResult]:
    """Record what was pressed; `one` stood first."""
    return lambda uow: uow.comparisons.record(
        group_id, prompt_key, one, two, judge=judge, preference=preference, first=one, replace=True
    )


def _open_pairs(ledger: Transactions, group_id: str, judge: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each prompt and pair that the judge has not judged, with the session of each variant."""
    with ledger.read() as uow:
        group = uow.comparisons.get(group_id)
        members = uow.comparisons.sessions(group_id)
        judged = {
            (result.prompt_key, result.variant_a, result.variant_b)
            for result in uow.comparisons.results(group_id, judge=judge)
        }
    by_prompt: dict[str, dict[str, str]] = {}
    for member in members:
        if member.prompt_key is not None:
            by_prompt.setdefault(member.prompt_key, {})[member.variant] = member.session_id
    for prompt_key, answers in by_prompt.items():
        for a, b in combinations([name for name in group.variants if name in answers], 2):
            if (prompt_key, a, b) not in judged:
                yield prompt_key, {a: answers[a], b: answers[b]}


def _show(screen: Screen, ledger: Transactions, prompt_key: str, session_ids: list[str]) -> bool:
    """The question and both answers; False where one of them has not answered."""
    with ledger.read() as uow:
        talks = [uow.messages.history(session_id) for session_id in session_ids]
    answers = [[turn.content for turn in talk if turn.role is Role.ASSISTANT] for talk in talks]
    if not all(answers):
        return False
    question = "\n".join(turn.content for turn in talks[0] if turn.role is Role.USER)
    screen.line("")
    screen.line((f"prompt {prompt_key}", "bold"))
    screen.text(question)
    for letter, said in zip("AB", answers, strict=True):
        screen.line("")
        screen.line((f"── {letter} ──", "bold"))
        screen.text("\n".join(said))
    screen.line("")
    return True


def _pressed(screen: Screen) -> str:
    """One of the keys; the end of the input is the end."""
    while True:
        screen.text(" · ".join(f"[{key}] {what}" for key, what in _KEYS.items()) + " ", end="")
        screen.flush()
        if sys.stdin.isatty():
            key = typer.getchar().lower()
        else:
            line = sys.stdin.readline()
            key = line.strip().lower() if line else "q"
        screen.line("")
        if key in _KEYS:
            return key


def _responders(
    functions: list[str] | None, commands: list[str] | None, timeout: float | None
) -> Iterator[tuple[str, Responder]]:
    seen: set[str] = set()
    for option, given in (("--responder", functions), ("--exec", commands)):
        for typed in given or ():
            variant, equals, what = typed.partition("=")
            if not variant or not equals or variant in seen:
                raise typer.BadParameter("is not VARIANT=…, each variant once", param_hint=f"'{option}'")
            seen.add(variant)
            is_function = option == "--responder"
            yield (
                variant,
                responder_of(
                    what if is_function else None, None if is_function else what, None if is_function else timeout
                ),
            )
    if len(seen) < 2:
        raise typer.BadParameter("give two or more of --responder and --exec", param_hint="responder")
