"""Detect: write the reference that replaces a secret, in the syntax of its file.

`edit` uses the first writer in `_WRITERS` that applies to the file. A format that cannot reference
a variable raises UnfixableError, which says what to do by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from scanner.detect.fixes.defaults import without_default
from scanner.detect.fixes.edits import NOT_SET, Edit, Site, UnfixableError
from scanner.detect.fixes.kubernetes import is_argument, is_pair, secret_key_ref
from scanner.detect.fixes.refusals import refuse
from scanner.detect.fixes.variable_names import camel

_QUOTED = re.compile(rb"""'[^']*'|"(?:[^"\\]|\\.)*"|\\.""")
_EXPANDS = "the program that reads this file must expand the reference, or use envsubst"
# Text that cannot be a plain scalar in YAML
_NO_PLAIN = re.compile(rb"""[\[{%@`*&!|>'"#,?\-]|.*(?:: | #)""", re.DOTALL)
_EXPRESSIONS = ((b"{{", b"}}"), (b"<%", b"%>"), (b"{%", b"%}"))
_MAX_BEFORE = 4000  # bytes of a line in which quotes are searched

_Writer = Callable[[Site], Edit]


def edit(site: Site) -> Edit:
    """Return the edit that replaces a secret. Raises UnfixableError if there is none."""
    refuse(site)
    shortened = without_default(site)
    if shortened:
        return shortened
    if _in_expression(site):
        raise UnfixableError("it is part of an expression: remove it by hand")
    for condition, write in _WRITERS:
        if condition in site.kinds if isinstance(condition, str) else condition.search(site.path):
            return write(site)
    return _put(site, f"${{{site.name}}}", todo=_EXPANDS)


def _in_expression(site: Site) -> bool:
    """Is the secret inside an expression? A reference in an expression would not be valid."""
    before = site.before.rpartition(b"\n")[2] if site.leaf.style == "block" else site.before
    if before.count(b"${") > before.count(b"}") or before.rfind(b"#{") > before.rfind(b"}"):
        return True
    return any(before.rfind(opening) > before.rfind(close) for opening, close in _EXPRESSIONS)


def _put(site: Site, reference: str, *, variable: str | None = None, todo: str = "") -> Edit:
    """Put the reference in the place of the secret, and quote a plain value if needed."""
    leaf, text = site.leaf, reference.encode()
    named = site.name if variable is None else variable
    new = site.before + text + site.after
    if leaf.style == "plain" and _wants_quotes(site, new):
        if re.search(rb'["\\\n]', new):
            raise UnfixableError("its value cannot be quoted automatically: fix it by hand")
        return Edit(leaf.start, leaf.end, b'"' + new + b'"', named, todo)
    return Edit(site.start, site.end, text, named, todo)


def _wants_quotes(site: Site, new: bytes) -> bool:
    if site.kinds & {"json", "toml"}:
        return True
    return "yaml" in site.kinds and (_NO_PLAIN.match(new) is not None or site.is_in_flow)


# The writers: one for each syntax


def _shell_like(site: Site) -> Edit:
    return _put(site, f"${{{site.name}{NOT_SET}}}")


def _plain(site: Site) -> Edit:
    return _put(site, f"${{{site.name}}}")


def _maven(site: Site) -> Edit:
    return _put(site, f"${{env.{site.name}}}")


def _github(site: Site) -> Edit:
    if "inputs" in site.leaf.path and site.leaf.path[-1] == "default":
        raise UnfixableError("everybody can read the default of an input: remove it")
    name = re.sub(r"^GITHUB_(?!TOKEN$)", "GH_", site.name)  # GitHub reserves the prefix
    reference = f"${{{{ secrets.{name} }}}}"
    if name == "GITHUB_TOKEN":
        todo = "GitHub sets GITHUB_TOKEN: give the job the permissions it needs"
        return _put(site, reference, variable="", todo=todo)
    todo = f"set the repository's secret: gh secret set {name}"
    return _put(site, reference, variable=name, todo=todo)


def _gitlab(site: Site) -> Edit:
    if site.before.rpartition(b"\n")[2].count(b"'") % 2:
        raise UnfixableError("it is in single quotes, in which the shell expands no variables")
    is_alone = site.is_whole and "\n" not in site.texts.get(site.leaf.path, "")
    todo = f"add {site.name} as a masked variable in Settings > CI/CD > Variables"
    text = f"${site.name}" if is_alone else f"${{{site.name}}}"
    return _put(site, text, todo=todo)


def _azure_pipelines(site: Site) -> Edit:
    todo = f"add {site.name} as a secret variable of the pipeline"
    return _put(site, f"$({site.name})", todo=todo)


def _supervisor(site: Site) -> Edit:
    todo = f"set {site.name} in the environment of supervisord"
    return _put(site, f"%(ENV_{site.name})s", todo=todo)


def _ansible(site: Site) -> Edit:
    mark = '"' if site.quote == b"'" else "'"
    return _put(site, f"{{{{ lookup({mark}env{mark}, {mark}{site.name}{mark}) }}}}")


def _jinja(site: Site) -> Edit:
    name = site.name.lower()
    todo = f"pass {name} to the template, from a vault or the environment"
    return _put(site, f"{{{{ {name} }}}}", variable="", todo=todo)


def _erb(site: Site) -> Edit:
    mark = '"' if site.quote == b"'" else "'"
    return _put(site, f"<%= ENV.fetch({mark}{site.name}{mark}) %>")


def _symfony(site: Site) -> Edit:
    return _put(site, f"%env({site.name})%")


def _helm_template(site: Site) -> Edit:
    if is_pair(site):
        return secret_key_ref(site)
    name = camel(site.name)
    bare = site.leaf.style == "plain" and site.is_whole and not site.before
    todo = f"pass {name} to the chart with --set or an uncommitted values file"
    encoded = site.texts.get(("kind",)) == "Secret" and site.leaf.path[0] == "data"
    pipe = (" | b64enc" if encoded else "") + (" | quote" if bare else "")
    text = f"{{{{ .Values.{name}{pipe} }}}}"
    return Edit(site.start, site.end, text.encode(), "", todo)


def _helmfile(site: Site) -> Edit:
    bare = site.leaf.style == "plain" and site.is_whole
    mark = "`" if site.quote == b'"' else '"'
    reference = f"{{{{ requiredEnv {mark}{site.name}{mark}{' | quote' if bare else ''} }}}}"
    return Edit(site.start, site.end, reference.encode(), site.name)


def _helm_values(site: Site) -> Edit:
    if is_pair(site):
        return secret_key_ref(site)
    if not site.is_whole and site.leaf.style != "block":
        site = site._replace(start=site.leaf.start, end=site.leaf.end)
    empty = b'""' if site.leaf.style == "plain" else b""
    key = ".".join(str(part) for part in site.leaf.path)
    todo = f"pass {key} to the chart with --set or an uncommitted values file"
    return Edit(site.start, site.end, empty, "", todo)


def _kubernetes(site: Site) -> Edit:
    if is_pair(site):
        return secret_key_ref(site)
    if site.texts.get(("kind",)) == "Secret":
        raise UnfixableError(
            "a Secret manifest cannot reference a value: use an ExternalSecret or a SealedSecret, "
            "or create the Secret outside the repository"
        )
    if is_argument(site.leaf.path):  # which variable of the container has this value is unknown
        raise UnfixableError(
            "add an env variable from a Secret to this container, and write $(NAME) here"
        )
    raise UnfixableError(
        "Kubernetes expands no variables here: move the value to a Secret and reference that"
    )


def _hcl(site: Site) -> Edit:
    leaf, name = site.leaf, site.name.lower()
    if leaf.path[:1] == ("variable",):
        return _without_attribute(site)
    if leaf.path[:1] == ("terraform",):
        raise UnfixableError("this block cannot use variables: pass the value with -backend-config")
    if leaf.style == "fallback":
        raise UnfixableError("it is part of an expression: remove it by hand")
    todo = f'declare variable "{name}" {{ sensitive = true }} if it does not exist'
    if leaf.style == "block" or not site.is_whole:
        return _put(site, f"${{var.{name}}}", variable=f"TF_VAR_{name}", todo=todo)
    marks = len(site.quote)
    text = f"var.{name}".encode()
    return Edit(leaf.start - marks, leaf.end + marks, text, f"TF_VAR_{name}", todo)


def _terraform_json(site: Site) -> Edit:
    name = site.name.lower()
    if "variable" in site.leaf.path:
        raise UnfixableError("remove the default of the variable by hand")
    todo = f"declare the sensitive variable {name} if it does not exist"
    return _put(site, f"${{var.{name}}}", variable=f"TF_VAR_{name}", todo=todo)


def _without_attribute(site: Site) -> Edit:
    """Remove the default of a variable, and its line unless that holds something else."""
    leaf, data = site.leaf, site.data
    key = re.compile(rb'default[ \t]*=[ \t]*"?\Z').search(
        data, max(leaf.start - 200, 0), leaf.start
    )
    if not key or len(leaf.path) != _DEFAULT_DEPTH or leaf.style not in {"plain", "quoted"}:
        raise UnfixableError("it is only a part of the default: remove it by hand")
    start, end = key.start(), leaf.end + len(site.quote)
    line = data.rfind(b"\n", 0, start) + 1
    rest = re.compile(rb"[ \t]*(?:(?P<newline>\r?\n)|(?=#|/))").match(data, end)
    if rest and not data[line:start].strip():
        start, end = line if rest["newline"] else start, rest.end()
    return Edit(start, end, b"", f"TF_VAR_{leaf.path[1]}")


_DEFAULT_DEPTH = 3  # the path of a default: "variable", its name, "default"


def _terragrunt(site: Site) -> Edit:
    if site.leaf.style == "quoted" and site.is_whole:
        start, end = site.leaf.start - 1, site.leaf.end + 1
        return Edit(start, end, f'get_env("{site.name}")'.encode(), site.name)
    raise UnfixableError("it is part of an expression: remove it by hand")


def _other_hcl(_site: Site) -> Edit:
    raise UnfixableError(
        "the program that reads this file expands no variables: keep it out of the repository"
    )


def _docker(site: Site) -> Edit:
    leaf, marks = site.leaf, len(site.quote)
    word, name = leaf.path[0], str(leaf.path[-1])
    start, end = leaf.start - marks, leaf.end + marks
    if word == "ARG":
        todo = f"pass {name} to the step that needs it: RUN --mount=type=secret,id={name}"
        return Edit(start - 1, end, b"", name, todo)
    if word == "ENV":
        begin = len(site.data[:start].rstrip(b" \t"))  # the old form `ENV NAME value`
        sign = b"" if site.data[begin - 1 : begin] == b"=" else b"="
        more = site.data[end : end + 1] in {b" ", b"\t"}
        todo = f"set {name} when the container is started"
        return Edit(begin, end, sign + (b'""' if more else b""), name, todo)
    if word == "RUN":
        raise UnfixableError(
            "a RUN step takes secrets from --mount=type=secret: rewrite it by hand"
        )
    raise UnfixableError("everybody can read a label: remove it")


def _shell(site: Site) -> Edit:
    reference = f"${{{site.name}{NOT_SET}}}"
    return _in_double_quotes(site, reference, f'"{reference}"')


def _powershell(site: Site) -> Edit:
    reference = f"${{env:{site.name}}}"
    return _in_double_quotes(site, reference, reference)


def _in_double_quotes(site: Site, quoted: str, bare: str) -> Edit:
    """Put a reference in double quotes, because it is not expanded in single quotes."""
    leaf = site.leaf
    start = leaf.start - len(site.quote)
    line = site.data[max(site.data.rfind(b"\n", 0, start) + 1, start - _MAX_BEFORE) : start]
    if b"'" in _QUOTED.sub(b"", line):
        raise UnfixableError("it is in single quotes, in which the shell expands no variables")
    if site.quote != b"'":
        return _put(site, quoted if site.quote or b'"' in _QUOTED.sub(b"", line) else bare)
    new = site.before + b"\0" + site.after
    if re.search(rb'["$`\\]', new):
        raise UnfixableError("it is in single quotes, in which the shell expands no variables")
    new = b'"' + new.replace(b"\0", quoted.encode()) + b'"'
    return Edit(leaf.start - 1, leaf.end + 1, new, site.name)


def _batch(site: Site) -> Edit:
    return _put(site, f"%{site.name}%")


def _emptied(site: Site) -> Edit:
    return Edit(site.leaf.start, site.leaf.end, b"")


def _env(site: Site) -> Edit:
    reason = "values belong in .env files: git rm --cached the file and add it to .gitignore"
    raise UnfixableError(reason, site.name)


_Condition = str | re.Pattern[str]
# The kind of a file, or a pattern of its path, and the writer. The first that applies is used.
_WRITERS: tuple[tuple[_Condition, _Writer], ...] = (
    ("env-example", _emptied),
    (re.compile(r"(?:^|/)\.envrc$"), _shell),
    ("helm-values", _helm_values),
    ("helm-template", _helm_template),
    (re.compile(r"(?:^|/)helmfile[^/]*\.ya?ml(?:\.gotmpl)?$"), _helmfile),
    (re.compile(r"\.(?:j2|jinja2?)$"), _jinja),
    (re.compile(r"\.erb$|(?:^|/)config/(?:database|secrets|storage|cable|mongoid)\.yml$"), _erb),
    (re.compile(r"(?:^|/)config/(?:packages/.*|services)\.ya?ml$"), _symfony),
    ("kubernetes", _kubernetes),
    ("github-workflow", _github),
    ("gitlab-ci", _gitlab),
    (re.compile(r"(?:^|/)azure-pipelines[^/]*\.ya?ml$"), _azure_pipelines),
    ("compose", _shell_like),
    ("ansible", _ansible),
    ("spring", _plain),
    (re.compile(r"(?:^|/)\.(?:npm|yarn)rc(?:\.yml)?$"), _plain),
    (re.compile(r"(?:^|/)(?:pom|settings[\w.-]*)\.xml$"), _maven),
    (re.compile(r"(?:^|/)supervisord?\.conf$"), _supervisor),
    (re.compile(r"\.tf\.json$"), _terraform_json),
    (re.compile(r"(?:^|/)terragrunt\.hcl$"), _terragrunt),
    ("terraform", _hcl),
    (re.compile(r"\.pkr\.hcl$|\.nomad(?:\.hcl)?$"), _hcl),
    ("hcl", _other_hcl),
    ("env", _env),
    ("dockerfile", _docker),
    (re.compile(r"\.(?:bat|cmd)$"), _batch),
    (re.compile(r"\.ps1$"), _powershell),
    ("shell", _shell),
)
