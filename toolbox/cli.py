"""What `./run` is: Invoke with the tasks of tasks.py, a help that shows only them, and a hint for what is misspelt."""

import contextlib
import difflib
import re
import sys
from textwrap import fill

import invoke
from invoke.exceptions import ParseError

from .errors import Failure, ended

WIDTH = 80
NAME_WIDTH = 12


class Program(invoke.Program):
    """`./run`, for a collection of tasks, and `groups` of them: titles with the tasks that belong together."""

    def __init__(self, collection, groups):
        super().__init__(namespace=collection, binary="./run")
        self.groups = groups

    def run(self, *args, **options):
        """Do what the command line says, and end in one line where the system refuses something."""
        try:
            super().run(*args, **options)
            sys.stdout.flush()
        except OSError as error:
            ending = ended(error)
            if ending.message:
                print(ending.message, file=sys.stderr)
            sys.exit(ending.code)

    def parse_core(self, argv):
        """Take `help TASK` for `--help TASK`."""
        argv = list(sys.argv if argv is None else argv)
        if argv[1:2] == ["help"]:
            argv[1] = "--help"
        super().parse_core(argv)

    @contextlib.contextmanager
    def explaining(self):
        """Raise Failure, for the block, when a word of the command line means nothing."""
        try:
            yield
        except ParseError as error:
            raise Failure(explained(error, self.parser.contexts)) from error

    def parse_tasks(self):
        """Find the tasks and their options, before anything is run."""
        with self.explaining():
            super().parse_tasks()

    def parse_cleanup(self):
        """Show help where it is asked for."""
        with self.explaining():
            super().parse_cleanup()

    def print_help(self):
        """Print the tasks, grouped as people use them."""
        print("Usage: ./run TASK [OPTIONS]")
        for title, tasks in self.groups.items():
            print(f"\n{title}")
            print(*(entry(task.name, summary(task)) for task in tasks), sep="\n")
        print('\n"./run help TASK" shows the options of a task.')

    def print_task_help(self, name):
        """Print what a task does, and its options where it has any."""
        task, context = self.collection[name], self.parser.contexts[name]
        values = [argument.name.upper() for argument in context.positional_args]
        print(" ".join(["Usage: ./run", name, *values, "[OPTIONS]"]), "", fill(summary(task), WIDTH), "", sep="\n")
        if options := context.help_tuples():
            self.print_columns(options)


def summary(task):
    """Return the first sentence or two of a task's description, its first paragraph, as one line."""
    return " ".join(task.__doc__.strip().split("\n\n")[0].split())


def entry(name, text):
    """Return a name and a text beside it, in lines of at most WIDTH characters."""
    return fill(text, WIDTH, initial_indent=f"  {name}".ljust(NAME_WIDTH), subsequent_indent=" " * NAME_WIDTH)


def explained(error, contexts):
    """Return what a person did wrong, and the remedy, from a ParseError and the tasks that there are, by name."""
    if lacking := re.match(r"Flag <Argument: ([\w-]+).*> needed value", str(error)):
        return f'--{lacking[1]} needs a value: "./run help" and the name of the task shows which.'
    if lacking := re.match(r"'(\w+)' did not receive required positional arguments: '(\w+)'", str(error)):
        return f'{lacking[1]} needs a {lacking[2]}: type "./run {lacking[1]} {lacking[2].upper()}".'
    unknown = re.fullmatch(r"No idea what '(.+)' is!", str(error))
    if not unknown:
        return f'{str(error).rstrip("!.")}: "./run help" and the name of the task shows how.'
    word = unknown[1]
    if not word.startswith("-"):
        return f'there is no task "{word}": {meant(word, contexts)}"./run help" shows all.'
    task = error.context.name
    if not task:
        return f'there is no option "{word}" before a task: "./run help" shows all tasks.'
    return f'{task} has no option "{word}": {meant(word, error.context.flags)}"./run help {task}" shows all.'


def meant(word, known):
    """Return the beginning of a remedy that names the known word that is most like another one; empty without one."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}? " if close else ""
