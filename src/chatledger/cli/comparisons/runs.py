"""Prompts sent to every variant, and votes of people on which answer is better."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Annotated

import typer

from chatledger.cli.arguments.files import existing_file
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

_KEYS = {"a": "the first", "b": "the second", "t": "tie", "s": "skip", "q": "quit"}


@app.command()
def run(
    group_id: GroupId,
    prompts: Annotated[
        Path,
        typer.Argument(
            metavar="PROMPTS", show_default=False, callback=existing_file,
            help="One prompt on each line; or JSON Lines with `prompt`, and optionally `key` and `system`.",
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
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="Stop a command after this time.")
    ] = None,
    trials: Annotated[int, typer.Option(min=1, metavar="N", help="How often each prompt is sent to each variant.")] = 1,
    seed: Annotated[int, typer.Option(help="Chooses the order in which variants are asked.")] = 0,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Send every prompt to every variant, and record the conversations with their durations and costs.

    Each answer is recorded in its own session. A later run asks only for the answers that are missing, so that you can
    stop a run and continue it. Failures are printed. The database is not locked while a variant is answering.
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
                    "variant", f"{name!r} is not a variant of this comparison: run `chatledger compare add` first"
                )
        trial = Trial(ledger, group, {*trial_done(ledger, group_id)})
        rounds = [(prompt, number) for prompt in asked for number in range(1, trials + 1)]
        for place, (prompt, number) in enumerate(rounds, 1):
            order = list(responders)
            random.Random(f"{seed}/{prompt.key}" + (f"/{number}" if number > 1 else "")).shuffle(order)
            for variant in order:
                outcome = trial.ask(prompt, variant, responders[variant], order.index(variant) + 1, number)
                if outcome is None:
                    kept += 1
                elif outcome:
                    failures.append({"prompt": prompt.key, "variant": variant, "reason": outcome})
                    report(f"prompt {prompt.key!r}, {variant}: {outcome}")
                else:
                    done += 1
            show(f"{place} of {len(rounds)}")
    if as_json:
        write_document({"answered": done, "kept": kept, "failures": failures})
    else:
        before = f", {counted(kept, 'answer')} already recorded" if kept else ""
        Screen().line(f"{counted(done, 'answer')} to {counted(len(asked), 'prompt')}{before}, {len(failures)} failed")
    if failures:
        raise typer.Exit(FAILED)


def trial_done(ledger: Transactions, group_id: str) -> Iterator[tuple[str, str, int]]:
    """Yield the prompts, variants and trials that earlier runs have recorded."""
    with ledger.read() as uow:
        for result in uow.comparisons.results(group_id, judge=RUN):
            yield result.prompt_key, result.variant_a, result.trial


@app.command()
def vote(
    group_id: GroupId,
    seed: Annotated[int, typer.Option(help="Chooses which answer is shown first.")] = 0,
    user: Owner = None,
    actor: Actor = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show two answers without the names of their variants, and record a vote: a, b, t (tie), s (skip), q (quit).

    Each vote is recorded at once, with the answer that was shown first. Pairs that this judge has already judged are not
    shown again. The judge is --actor, by default your login name.
    """
    if actor is None:
        raise typer.BadParameter("name the judge", param_hint="'--actor'")
    judge, screen = actor, Screen.errors() if as_json else Screen()
    votes = 0
    with opened_for(db, user) as ledger:
        for prompt_key, trial, pair in _open_pairs(ledger, group_id, judge):
            sides = list(pair)
            salt = f"{seed}/{prompt_key}/{'/'.join(sorted(pair))}" + (f"/{trial}" if trial > 1 else "")
            random.Random(salt).shuffle(sides)
            if not _show(screen, ledger, prompt_key, [pair[name] for name in sides]):
                continue
            key = _pressed(screen)
            if key == "q":
                break
            if key == "s":
                continue
            preference = {"a": 0.0, "b": 1.0, "t": 0.5}[key]
            one, two = sides
            ledger.run(_verdict(group_id, prompt_key, trial, judge, one, two, preference))
            votes += 1
    if as_json:
        write_document({"judge": judge, "votes": votes})
    else:
        screen.line(f"{counted(votes, 'vote')} by {judge}")


def _verdict(
    group_id: str, prompt_key: str, trial: int, judge: str, one: str, two: str, preference: float
) -> Callable[[UnitOfWork], ComparisonResult]:
    """Return a function that records the vote. `one` was shown first."""
    return lambda uow: uow.comparisons.record(
        group_id, prompt_key, one, two, judge=judge, trial=trial, preference=preference, first=one, replace=True
    )


def _open_pairs(ledger: Transactions, group_id: str, judge: str) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield each prompt, trial and pair that the judge has not judged, with the session of each variant."""
    with ledger.read() as uow:
        group = uow.comparisons.get(group_id)
        members = uow.comparisons.sessions(group_id)
        judged = {
            (result.prompt_key, result.trial, result.variant_a, result.variant_b)
            for result in uow.comparisons.results(group_id, judge=judge)
        }
    by_prompt: dict[tuple[str, int], dict[str, str]] = {}
    for member in members:
        if member.prompt_key is not None:
            by_prompt.setdefault((member.prompt_key, member.trial), {})[member.variant] = member.session_id
    for (prompt_key, trial), answers in by_prompt.items():
        for a, b in combinations([name for name in group.variants if name in answers], 2):
            if (prompt_key, trial, a, b) not in judged:
                yield prompt_key, trial, {a: answers[a], b: answers[b]}


def _show(screen: Screen, ledger: Transactions, prompt_key: str, session_ids: list[str]) -> bool:
    """Show the question and both answers. Return False if one of them is missing."""
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
    """Wait for one of the keys. The end of the input is q."""
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
                raise typer.BadParameter("must be VARIANT=…, with each variant once", param_hint=f"'{option}'")
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
