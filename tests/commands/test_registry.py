"""What holds of every command: how it is declared, what its help says, that the README lists it."""

import argparse
import re
from pathlib import Path

import pytest

from cvtune_nb import cli
from cvtune_nb.commands import COMMANDS
from cvtune_nb.commands.command import command
from cvtune_nb.commands.flags import argument, parameters
from cvtune_nb.parameters import DETECTOR_PARAMETERS, PARAMETERS

README = (Path(__file__).parents[2] / "README.md").read_text()

each = pytest.mark.parametrize("one", COMMANDS.values(), ids=COMMANDS)


class Declared:
    """Takes the place of a parser, and keeps the help of every flag."""

    def __init__(self):
        self.helps = []

    def add_argument(self, *_, **settings):
        self.helps.append(settings.get("help"))


def parser_of(one) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(one.name, add_help=False)
    for add_to in one.arguments:
        add_to(made)
    return made


@each
def test_its_help_is_one_plain_line_and_every_flag_has_one(one, capsys):
    assert re.fullmatch(r"[a-z][^\n]*[^.\s]", one.help)
    with pytest.raises(SystemExit) as ended:
        cli.main([one.name, "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0 and f"{one.help[0].upper()}{one.help[1:]}." in out
    assert "show this help message and exit" in out
    declared = Declared()
    for add_to in one.arguments:
        add_to(declared)
    assert all(words and not words.endswith(".") for words in declared.helps)


@each
def test_it_takes_json_unless_it_runs_until_it_is_stopped(one, capsys):
    with pytest.raises(SystemExit):
        cli.main([one.name, "--help"])
    assert ("--json" in capsys.readouterr().out) == one.has_result == (one.name not in ("lab", "serve"))


def test_the_readme_lists_the_commands_that_there_are():
    table = re.findall(r"^\| `cvtune ([a-z-]+)", README, re.MULTILINE)
    assert sorted(table) == sorted(COMMANDS)


def test_flags_that_the_readme_names_exist(capsys):
    """In the table of commands, each beside its command."""
    for line in re.findall(r"^\| (`cvtune .*)\|$", README, re.MULTILINE):
        name = re.match(r"`cvtune ([a-z-]+)", line)[1]
        with pytest.raises(SystemExit):
            cli.main([name, "--help"])
        shown = capsys.readouterr().out
        for flag in re.findall(r"--[a-z-]+", line):
            assert re.search(rf"{flag}\b", shown), (name, flag)


@pytest.mark.parametrize("declared", [PARAMETERS, DETECTOR_PARAMETERS], ids=["classifier", "detector"])
def test_a_parameter_is_a_flag_with_its_meaning_range_and_name_of_2018(declared):
    made = argparse.ArgumentParser(add_help=False)
    for add_to in parameters(declared, declared):
        add_to(made)
    shown = "".join(made.format_help().split())  # argparse breaks lines anywhere
    for name, parameter in declared.items():
        assert f"--{name.replace('_', '-')}X" in shown
        for words in (parameter.meaning, parameter.range_in_words):
            assert "".join(words.split()) in shown
        assert not parameter.name_2018 or f"2018:{parameter.name_2018})" in shown
    assert any(parameter.name_2018 for parameter in PARAMETERS.values())


def test_a_command_is_a_function_with_its_flags():
    @command(argument("--size", type=int, default=3, help="how large"), has_result=False)
    def grow(arguments, meter):
        """make it larger"""
        return arguments.size + meter

    assert (grow.name, grow.help, grow.has_result) == ("grow", "make it larger", False)
    assert grow.run(parser_of(grow).parse_args(["--size", "4"]), 1) == 5
