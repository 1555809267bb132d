"""Detect: what to write in the place of a literal, in the syntax of the file that it stands in.

`edit` asks the first line of `_WAYS` that fits. A format that cannot name a value kept elsewhere
refuses with the reason, and what to do by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from scanner.detect.fixes.defaults import without_default
from scanner.detect.fixes.kubernetes import is_argument, is_pair, secret_key_ref
from scanner.detect.fixes.refusals import refuse
from scanner.detect.fixes.site import NOT_SET, Edit, Site, UnfixableError
from scanner.detect.fixes.variable_names import camel

_QUOTED = re.compile(rb"""'[^']*'|"(?:[^"\\]|\\.)*"|\\.""")
_EXPANDS = "what reads this file must expand the reference, as envsubst does"
_NO_PLAIN = re.compile(rb"""[\[{%@`*&!|>'"#,?\-]|.*(?:: | #)""", re.DOTALL)
_EXPRESSIONS = ((b"{{", b"}}"), (b"<%", b"%>"), (b"{%", b"%}"))
_MOST_BEFORE = 4000  # bytes of a line in which quotes are looked for

_Writer = Callable[[Site], Edit]


def edit(site: Site) -> Edit:
    """What to write instead. UnfixableError where nothing can stand there."""
    refuse(site)
    shortened = without_default(site)
    if shortened:
        return shortened
    if _in_expression(site):
        raise UnfixableError("it is part of an expression: take it out by hand")
    for condition, write in _WAYS:
        if condition in site.kinds if isinstance(condition, str) else condition.search(site.path):
            return write(site)
    return _put(site, f"${{{site.name}}}", todo=_EXPANDS)


def _in_expression(site: Site) -> bool:
    """Is one open where the secret begins? Then a reference would stand inside another."""
    before = site.before.rpartition(b"\n")[2] if site.leaf.style == "block" else site.before
    if before.count(b"${") > before.count(b"}") or before.rfind(b"#{") > before.rfind(b"}"):
        return True
    return any(before.rfind(opening) > before.rfind(close) for opening, close in _EXPRESSIONS)


def _put(site: Site, reference: str, *, variable: str | None = None, todo: str = "") -> Edit:
    """The reference in the place of the secret; a bare value gets quotes where it needs them."""
    leaf, text = site.leaf, reference.encode()
    named = site.name if variable is None else variable
    new = site.before + text + site.after
    if leaf.style == "plain" and _wants_quotes(site, new):
        if re.search(rb'["\\\n]', new):
            raise UnfixableError("its value would need quotes that it cannot have: do it by hand")
        return Edit(leaf.start, leaf.end, b'"' + new + b'"', named, todo)
    return Edit(site.start, site.end, text, named, todo)


def _wants_quotes(site: Site, new: bytes) -> bool:
    if site.kinds & {"json", "toml"}:
        return True
    return "yaml" in site.kinds and (_NO_PLAIN.match(new) is not None or site.is_in_flow)


# Each file's own syntax


def _shell_like(site: Site) -> Edit:
    return _put(site, f"${{{site.name}{NOT_SET}}}")


def _plain(site: Site) -> Edit:
    return _put(site, f"${{{site.name}}}")


def _maven(site: Site) -> Edit:
    return _put(site, f"${{env.{site.name}}}")


def _github(site: Site) -> Edit:
    if "inputs" in site.leaf.path and site.leaf.path[-1] == "default":
        raise UnfixableError("the default of an input is there for all to read: take it out")
    name = re.sub(r"^GITHUB_(?!TOKEN$)", "GH_", site.name)  # that beginning is GitHub's own
    reference = f"${{{{ secrets.{name} }}}}"
    if name == "GITHUB_TOKEN":
        todo = "GitHub sets GITHUB_TOKEN: give the job the permissions that it needs"
        return _put(site, reference, variable="", todo=todo)
    todo = f"set the repository's secret: gh secret set {name}"
    return _put(site, reference, variable=name, todo=todo)


def _gitlab(site: Site) -> Edit:
    if site.before.rpartition(b"\n")[2].count(b"'") % 2:
        raise UnfixableError("it stands in single quotes, where the shell expands nothing")
    alone = site.is_whole and "\n" not in site.texts.get(site.leaf.path, "")
    todo = f"make {site.name} a masked variable in Settings > CI/CD > Variables"
    text = f"${site.name}" if alone else f"${{{site.name}}}"
    return _put(site, text, todo=todo)


def _azure_pipelines(site: Site) -> Edit:
    todo = f"make {site.name} a secret variable of the pipeline"
    return _put(site, f"$({site.name})", todo=todo)


def _supervisor(site: Site) -> Edit:
    todo = f"set {site.name} where supervisord is started"
    return _put(site, f"%(ENV_{site.name})s", todo=todo)


def _ansible(site: Site) -> Edit:
    mark = '"' if site.quote == b"'" else "'"
    return _put(site, f"{{{{ lookup({mark}env{mark}, {mark}{site.name}{mark}) }}}}")


def _jinja(site: Site) -> Edit:
    name = site.name.lower()
    todo = f"give the template {name}, out of a vault or the environment"
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
    todo = f"give the chart {name}: with --set, or in a values file that is not committed"
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
    todo = f"give the chart {key}: with --set, or in a values file that is not committed"
    return Edit(site.start, site.end, empty, "", todo)


def _kubernetes(site: Site) -> Edit:
    if is_pair(site):
        return secret_key_ref(site)
    if site.texts.get(("kind",)) == "Secret":
        raise UnfixableError(
            "a Secret holds values: write an ExternalSecret or a SealedSecret, or make it outside"
        )
    if is_argument(site.leaf.path):  # no variable of the container is known to hold this value
        raise UnfixableError(
            "declare an env variable from a Secret in this container, and write $(NAME) here"
        )
    raise UnfixableError("Kubernetes expands nothing here: put it into a Secret, and name that")


def _hcl(site: Site) -> Edit:
    leaf, name = site.leaf, site.name.lower()
    if leaf.path[:1] == ("variable",):
        return _without_attribute(site)
    if leaf.path[:1] == ("terraform",):
        raise UnfixableError("this block cannot name a variable: use -backend-config, or its file")
    if leaf.style == "fallback":
        raise UnfixableError("it is part of an expression: take it out by hand")
    todo = f'declare variable "{name}" {{ sensitive = true }}, unless there is one'
    if leaf.style == "block" or not site.is_whole:
        return _put(site, f"${{var.{name}}}", variable=f"TF_VAR_{name}", todo=todo)
    marks = len(site.quote)
    text = f"var.{name}".encode()
    return Edit(leaf.start - marks, leaf.end + marks, text, f"TF_VAR_{name}", todo)


def _terraform_json(site: Site) -> Edit:
    name = site.name.lower()
    if "variable" in site.leaf.path:
        raise UnfixableError("take the variable's default out by hand")
    todo = f"declare the variable {name} as sensitive, unless there is one"
    return _put(site, f"${{var.{name}}}", variable=f"TF_VAR_{name}", todo=todo)


def _without_attribute(site: Site) -> Edit:
    """The default of a variable, with its line if that holds nothing else: a comment keeps it."""
    leaf, data = site.leaf, site.data
    key = re.compile(rb'default[ \t]*=[ \t]*"?\Z').search(
        data, max(leaf.start - 200, 0), leaf.start
    )
    if not key or len(leaf.path) != _OF_A_DEFAULT or leaf.style not in {"plain", "quoted"}:
        raise UnfixableError("it is one of several values of a default: take it out by hand")
    start, end = key.start(), leaf.end + len(site.quote)
    line = data.rfind(b"\n", 0, start) + 1
    rest = re.compile(rb"[ \t]*(?:(?P<newline>\r?\n)|(?=#|/))").match(data, end)
    if rest and not data[line:start].strip():
        start, end = line if rest["newline"] else start, rest.end()
    return Edit(start, end, b"", f"TF_VAR_{leaf.path[1]}")


_OF_A_DEFAULT = 3  # variable, its name, default


def _terragrunt(site: Site) -> Edit:
    if site.leaf.style == "quoted" and site.is_whole:
        start, end = site.leaf.start - 1, site.leaf.end + 1
        return Edit(start, end, f'get_env("{site.name}")'.encode(), site.name)
    raise UnfixableError("it is part of an expression: take it out by hand")


def _other_hcl(_site: Site) -> Edit:
    raise UnfixableError("what reads this file knows no variables: keep it out of the repository")


def _docker(site: Site) -> Edit:
    leaf, marks = site.leaf, len(site.quote)
    word, name = leaf.path[0], str(leaf.path[-1])
    start, end = leaf.start - marks, leaf.end + marks
    if word == "ARG":
        todo = f"give {name} to the step that needs it: RUN --mount=type=secret,id={name}"
        return Edit(start - 1, end, b"", name, todo)
    if word == "ENV":
        begin = len(site.data[:start].rstrip(b" \t"))  # `ENV NAME value`, as it was written once
        sign = b"" if site.data[begin - 1 : begin] == b"=" else b"="
        more = site.data[end : end + 1] in {b" ", b"\t"}
        todo = f"give {name} when the container is started"
        return Edit(begin, end, sign + (b'""' if more else b""), name, todo)
    if word == "RUN":
        raise UnfixableError(
            "a RUN step takes secrets from --mount=type=secret: rewrite it by hand"
        )
    raise UnfixableError("a label is there for all to read: take it out")


def _shell(site: Site) -> Edit:
    reference = f"${{{site.name}{NOT_SET}}}"
    return _in_double_quotes(site, reference, f'"{reference}"')


def _powershell(site: Site) -> Edit:
    reference = f"${{env:{site.name}}}"
    return _in_double_quotes(site, reference, reference)


def _in_double_quotes(site: Site, quoted: str, bare: str) -> Edit:
    """A reference where single quotes would keep it from being expanded."""
    leaf = site.leaf
    start = leaf.start - len(site.quote)
    line = site.data[max(site.data.rfind(b"\n", 0, start) + 1, start - _MOST_BEFORE) : start]
    if b"'" in _QUOTED.sub(b"", line):
        raise UnfixableError("it stands in single quotes, where the shell expands nothing")
    if site.quote != b"'":
        return _put(site, quoted if site.quote or b'"' in _QUOTED.sub(b"", line) else bare)
    new = site.before + b"\0" + site.after
    if re.search(rb'["$`\\]', new):
        raise UnfixableError("it stands in single quotes, where the shell expands nothing")
    new = b'"' + new.replace(b"\0", quoted.encode()) + b'"'
    return Edit(leaf.start - 1, leaf.end + 1, new, site.name)


def _batch(site: Site) -> Edit:
    return _put(site, f"%{site.name}%")


def _emptied(site: Site) -> Edit:
    return Edit(site.leaf.start, site.leaf.end, b"")


def _env(site: Site) -> Edit:
    reason = "a .env is where values belong: git rm --cached it, and name it in .gitignore"
    raise UnfixableError(reason, site.name)


_Condition = str | re.Pattern[str]
# A kind of file, or a pattern of its path; the first that fits counts.
_WAYS: tuple[tuple[_Condition, _Writer], ...] = (
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
