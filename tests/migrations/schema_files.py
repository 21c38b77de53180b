"""The schema at head as SQL: `python -m tests.migrations.schema_files` (`make schema`) writes `schema/*.sql`.

A new database is migrated and its catalogue written down in an order of its own, so that the files show what all
revisions together make. Run on an empty database, a file makes a ledger.
"""

from __future__ import annotations

import re
import sys
import tempfile
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, NullPool, create_engine, event

from chatledger import migrate
from tests.support.postgres import running_server

FOLDER = Path(__file__).parents[2] / "schema"
_VERSION_TABLE = "chatledger_version"
_FULL_TEXT_MARK = "chatledger_full_text_mark"
_HEAD = f"INSERT INTO {_VERSION_TABLE} (version_num) VALUES ('{migrate.HEAD}')"
_ABOUT = f"-- The schema of a ledger at revision {migrate.HEAD}. Written by `make schema`: do not edit.\n"

# A view's statement as the migration spelled it; PostgreSQL's releases print its query differently.
_VIEW = re.compile(r"\s*CREATE (?:OR REPLACE )?VIEW (\w+)\s+(AS\s.*)", re.DOTALL)
SECURITY_INVOKER = " WITH (security_invoker=true)"
"""Of views. PostgreSQL knows it from 15 on, and the revisions set it there alone."""


def sqlite(url: str) -> str:
    """Migrate an empty SQLite database, and return its schema."""
    with _migrated(url) as (connection, _):

        def rows(query: str) -> list[Any]:
            return list(connection.exec_driver_sql(query).all())

        def statements(kind: str, table: str) -> list[str]:
            found = rows(
                f"SELECT sql FROM sqlite_master WHERE type = '{kind}' AND tbl_name = '{table}' AND sql IS NOT NULL ORDER BY name"
            )
            return [f"{_dedented(sql)};" for (sql,) in found]

        kinds = dict(rows("SELECT name, type FROM pragma_table_list WHERE schema = 'main'"))
        plain = [name for name, kind in kinds.items() if kind == "table" and not name.startswith("sqlite_")]
        virtual = sorted(name for name, kind in kinds.items() if kind == "virtual")
        views = sorted(name for name, kind in kinds.items() if kind == "view")
        parents = {name: {row[2] for row in rows(f"PRAGMA foreign_key_list({name})")} for name in plain}
        tables = _in_order(parents)
        mark = rows("PRAGMA application_id")[0][0]
        blocks = [
            "-- Tables and their indexes",
            *(_block(statements("table", name) + statements("index", name)) for name in tables),
            "-- Views",
            *(_block(statements("view", name)) for name in views),
            "-- Full text",
            *(_block(statements("table", name)) for name in virtual),
            "-- Triggers",
            *(block for name in (*tables, *views) for block in statements("trigger", name)),
            "-- The revision, up to which message full text is complete, and the mark of the file",
            _block(
                [
                    f"{_HEAD};",
                    *(
                        f"INSERT INTO {_FULL_TEXT_MARK} VALUES {row};"
                        for row in rows(f"SELECT * FROM {_FULL_TEXT_MARK}")
                    ),
                    f"PRAGMA application_id = {mark};",
                ]
            ),
        ]
    return _written(_ABOUT, blocks)


def postgresql(url: str) -> str:
    """Migrate an empty PostgreSQL database, and return its schema, without the name of the schema that it is in."""
    with _migrated(url) as (connection, executed):

        def rows(query: str) -> list[Any]:
            return list(connection.exec_driver_sql(query).all())

        views = {found[1]: _dedented(found[2]) for found in map(_VIEW.match, executed) if found}
        (schema,) = rows("SELECT current_schema()")[0]
        parents: dict[str, set[str]] = {name: set() for (name,) in rows(_TABLES)}
        for name, parent in rows(_PARENTS):
            parents[name].add(parent)
        blocks = [
            "-- Full text, which a generated column needs",
            _block([*_text_search(rows)]),
            "-- Tables and their indexes",
            *(_block([*_table(rows, name)]) for name in _in_order(parents)),
            "-- Views",
            *(f"CREATE VIEW {name}{options} {views[name]};" for name, options in rows(_VIEWS)),
            "-- Functions",
            *(_function(definition, source, schema) for definition, source in rows(_FUNCTIONS)),
            "-- Triggers",
            *(_trigger(definition) for name in _in_order(parents) for (definition,) in rows(_TRIGGERS % name)),
            "-- The revision",
            f"{_HEAD};",
        ]
    about = (
        f"{_ABOUT}-- Run it with a search path of the ledger's schema and pg_temp: SET search_path TO public, pg_temp\n"
    )
    return re.sub(rf'"?\b{re.escape(schema)}\b"?\.(?=\w)', "", _written(about, blocks))


def _table(rows: Callable[[str], list[Any]], name: str) -> Iterator[str]:
    lines = []
    for column, kind, collation, identity, generated, default, required in rows(_COLUMNS % name):
        line = f"{column} {kind}"
        if collation:
            line += f' COLLATE "{collation}"'
        if generated:
            line += f" GENERATED ALWAYS AS ({default}) STORED"
        elif identity:
            line += f" GENERATED {'ALWAYS' if identity == 'a' else 'BY DEFAULT'} AS IDENTITY"
        elif default:
            line += f" DEFAULT {default}"
        lines.append(line + (" NOT NULL" if required else ""))
    lines += [f"CONSTRAINT {constraint} {definition}" for constraint, definition in rows(_CONSTRAINTS % name)]
    ((options,),) = rows(f"SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = '{name}'::regclass")
    with_options = f" WITH ({options})" if options else ""
    yield f"CREATE TABLE {name} (\n    " + ",\n    ".join(lines) + f"\n){with_options};"
    yield from (f"{definition};" for (definition,) in rows(_INDEXES % name))


def _text_search(rows: Callable[[str], list[Any]]) -> Iterator[str]:
    for name, template, options in rows(_DICTIONARIES):
        yield f"CREATE TEXT SEARCH DICTIONARY {name} (TEMPLATE = {template}, {options});"
    for oid, name, parser in rows(_CONFIGURATIONS):
        yield f"CREATE TEXT SEARCH CONFIGURATION {name} (PARSER = {parser});"
        for tokens, dictionary in rows(_MAPPINGS % oid):
            yield f"ALTER TEXT SEARCH CONFIGURATION {name}\n    ADD MAPPING FOR {tokens}\n    WITH {dictionary};"


def _function(definition: str, source: str, schema: str) -> str:
    head = definition[: definition.index(source)].replace("CREATE OR REPLACE", "CREATE", 1)
    head, _, _ = head.rpartition("AS $")
    pinned = re.sub(rf"TO '?{re.escape(schema)}'?, '?pg_temp'?", "FROM CURRENT", head)
    return f"{' '.join(pinned.split())} AS $$\n{textwrap.dedent(source.strip(chr(10))).rstrip()}\n$$;"


def _trigger(definition: str) -> str:
    return re.sub(r" (?=REFERENCING |FOR EACH )", "\n    ", definition) + ";"


@contextmanager
def _migrated(url: str) -> Iterator[tuple[Connection, list[str]]]:
    """A connection to a database that was migrated just now, and the statements that did it."""
    engine = create_engine(url, poolclass=NullPool)
    executed: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        executed.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    migrate.upgrade(engine)
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        yield connection, executed
    engine.dispose()


def _in_order(parents: Mapping[str, Collection[str]]) -> list[str]:
    """Tables, each behind those that it refers to, otherwise by name; the version last."""
    left = {name: set(others) - {name} for name, others in parents.items() if name != _VERSION_TABLE}
    order: list[str] = []
    while left:
        ready = sorted(name for name, others in left.items() if not others & left.keys())
        order += ready
        for name in ready:
            del left[name]
    return [*order, _VERSION_TABLE]


def _dedented(statement: str) -> str:
    """A statement whose second and later lines stood deep in a revision, with four spaces for a tab."""
    first, newline, rest = statement.strip().expandtabs(4).partition("\n")
    lines = [line.rstrip() for line in (first + newline + textwrap.dedent(rest)).splitlines()]
    return "\n".join(line for line in lines if line)


def _block(statements: list[str]) -> str:
    return "\n".join(statements)


def _written(about: str, blocks: list[str]) -> str:
    return f"{about}\n" + "\n\n".join(block for block in blocks if block) + "\n"


_OURS = "current_schema()::regnamespace"
_TABLES = f"SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = {_OURS}"
_PARENTS = f"""
    SELECT c.relname, p.relname FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
    WHERE k.contype = 'f' AND k.connamespace = {_OURS}"""
_COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod),
        (SELECT collname FROM pg_collation l JOIN pg_type t ON t.oid = atttypid
            WHERE l.oid = attcollation AND attcollation <> t.typcollation),
        attidentity::text, attgenerated::text, pg_get_expr(adbin, adrelid), attnotnull
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = '%s'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
_CONSTRAINTS = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = '%s'::regclass AND contype <> 'n' ORDER BY position(contype::text IN 'pufc'), conname"""
_INDEXES = """
    SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indexrelid
    WHERE indrelid = '%s'::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    ORDER BY c.relname"""
_VIEWS = f"""
    SELECT relname, coalesce(' WITH (' || array_to_string(reloptions, ', ') || ')', '') FROM pg_class
    WHERE relkind = 'v' AND relnamespace = {_OURS} ORDER BY relname"""
_FUNCTIONS = f"""
    SELECT pg_get_functiondef(oid), prosrc FROM pg_proc WHERE pronamespace = {_OURS} ORDER BY proname"""
_TRIGGERS = """
    SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = '%s'::regclass AND NOT tgisinternal ORDER BY tgname"""
_DICTIONARIES = f"""
    SELECT dictname, tmplname, dictinitoption FROM pg_ts_dict JOIN pg_ts_template t ON t.oid = dicttemplate
    WHERE dictnamespace = {_OURS} ORDER BY dictname"""
_CONFIGURATIONS = f"""
    SELECT c.oid, cfgname, prsname FROM pg_ts_config c JOIN pg_ts_parser p ON p.oid = cfgparser
    WHERE cfgnamespace = {_OURS} ORDER BY cfgname"""
_MAPPINGS = """
    SELECT string_agg(t.alias, ', ' ORDER BY t.tokid), d.dictname
    FROM pg_ts_config_map m JOIN pg_ts_config f ON f.oid = m.mapcfg JOIN pg_ts_dict d ON d.oid = m.mapdict
    CROSS JOIN LATERAL ts_token_type(f.cfgparser) t
    WHERE m.mapcfg = %s AND t.tokid = m.maptokentype GROUP BY d.dictname ORDER BY d.dictname"""


def main() -> None:
    """Write both files."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        (FOLDER / "sqlite.sql").write_text(sqlite(f"sqlite:///{folder}/schema.db"), "utf-8")
    with running_server() as server, server.database() as url:
        (FOLDER / "postgresql.sql").write_text(postgresql(url), "utf-8")
    sys.stdout.write(f"{FOLDER.name}/sqlite.sql, {FOLDER.name}/postgresql.sql: revision {migrate.HEAD}\n")


if __name__ == "__main__":
    main()
