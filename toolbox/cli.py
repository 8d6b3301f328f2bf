"""The program `./run`: Invoke with the tasks of tasks.py, a shorter help, and suggestions for misspelt words."""

import contextlib
import difflib
import re
import sys
from textwrap import fill

import invoke
from invoke.exceptions import ParseError

from .errors import Failure, from_os_error

WIDTH = 80
NAME_WIDTH = 12


class Program(invoke.Program):
    """`./run` for a collection of tasks; `groups` maps the titles in the help to lists of tasks."""

    def __init__(self, collection, groups):
        super().__init__(namespace=collection, binary="./run")
        self.groups = groups

    def run(self, *args, **options):
        """Run the tasks of the command line. Print an OSError as one line."""
        try:
            super().run(*args, **options)
            sys.stdout.flush()
        except OSError as error:
            failure = from_os_error(error)
            if failure.message:
                print(failure.message, file=sys.stderr)
            sys.exit(failure.code)

    def parse_core(self, argv):
        """Treat `help TASK` as `--help TASK`."""
        argv = list(sys.argv if argv is None else argv)
        if argv[1:2] == ["help"]:
            argv[1] = "--help"
        super().parse_core(argv)

    @contextlib.contextmanager
    def explain_errors(self):
        """Turn a ParseError of the block into a Failure."""
        try:
            yield
        except ParseError as error:
            raise Failure(explain(error, self.parser.contexts)) from error

    def parse_tasks(self):
        """Parse the tasks and their options, before any task runs."""
        with self.explain_errors():
            super().parse_tasks()

    def parse_cleanup(self):
        """Show help if it is requested."""
        with self.explain_errors():
            super().parse_cleanup()

    def print_help(self):
        """Print all tasks by group."""
        print("Usage: ./run TASK [OPTIONS]")
        for title, tasks in self.groups.items():
            print(f"\n{title}")
            print(*(entry(task.name, summary(task)) for task in tasks), sep="\n")
        print('\n"./run help TASK" shows the options of a task.')

    def print_task_help(self, name):
        """Print what a task does, and its options."""
        task, context = self.collection[name], self.parser.contexts[name]
        values = [argument.name.upper() for argument in context.positional_args]
        print(" ".join(["Usage: ./run", name, *values, "[OPTIONS]"]), "", fill(summary(task), WIDTH), "", sep="\n")
        if options := context.help_tuples():
            self.print_columns(options)


def summary(task):
    """Return the first sentence or two of a task's description, its first paragraph, as one line."""
    return " ".join(task.__doc__.strip().split("\n\n")[0].split())


def entry(name, text):
    """Return a name and a text next to it, in lines of at most WIDTH characters."""
    return fill(text, WIDTH, initial_indent=f"  {name}".ljust(NAME_WIDTH), subsequent_indent=" " * NAME_WIDTH)


def explain(error, contexts):
    """Return the cause and the remedy of a ParseError; `contexts` are the parsers of all tasks, by name."""
    if missing := re.match(r"Flag <Argument: ([\w-]+).*> needed value", str(error)):
        return f'--{missing[1]} needs a value: "./run help TASK" shows which.'
    if missing := re.match(r"'(\w+)' did not receive required positional arguments: '(\w+)'", str(error)):
        return f'{missing[1]} needs a {missing[2]}: type "./run {missing[1]} {missing[2].upper()}".'
    unknown = re.fullmatch(r"No idea what '(.+)' is!", str(error))
    if not unknown:
        return f'{str(error).rstrip("!.")}: "./run help TASK" shows how.'
    word = unknown[1]
    if not word.startswith("-"):
        return f'there is no task "{word}": {suggestion(word, contexts)}"./run help" shows all.'
    task = error.context.name
    if not task:
        return f'there is no option "{word}" before a task: "./run help" shows all tasks.'
    return f'{task} has no option "{word}": {suggestion(word, error.context.flags)}"./run help {task}" shows all.'


def suggestion(word, known):
    """Return "did you mean ...? " with the known word that is closest to `word`, or an empty text."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}? " if close else ""
