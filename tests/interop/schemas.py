"""The vendors' own schema files, read where they are present, made strict, and asked about messages.

The files are not part of this repository. They are looked for in the directory that `CLEARLINE_SPECS` names, else in
`../shared/specs` beside the checkout.
"""

import base64
import binascii
import copy
import email.utils
import json
import os
import re
import urllib.parse
from functools import cached_property
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from programs import ROOT

SPECS = Path(os.environ.get("CLEARLINE_SPECS", ROOT.parent / "shared" / "specs"))

AGENT_SOCKET = "elevenlabs-agent.asyncapi-*.yaml"
AGENT_REST = "elevenlabs-openapi-*.json"
CARRIER_REST = "twilio_api_v2010.json"

# The name under which a file refers to itself.
BASE = "https://schemas.example.com/"

formats = FormatChecker(formats=())


@formats.checks("base64", raises=binascii.Error)
def is_base64(text: object) -> bool:
    return not isinstance(text, str) or base64.b64decode(text, validate=True) is not None


@formats.checks("date-time-rfc-2822", raises=(ValueError, TypeError))
def is_rfc_2822(text: object) -> bool:
    return not isinstance(text, str) or email.utils.parsedate_to_datetime(text) is not None


def spec_file(pattern: str) -> Path | None:
    return max(SPECS.glob(pattern), default=None)


class Spec:
    """One file. Every object in it is closed: a key that the vendor does not list is an error, as a misspelt one would be."""

    def __init__(self, pattern: str):
        path = spec_file(pattern)
        assert path, f"{pattern} is not in {SPECS}"
        text = path.read_text(encoding="utf-8")
        self.name = path.name
        self.document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)

    @cached_property
    def _registry(self) -> Registry:
        return Registry().with_resource(BASE, DRAFT202012.create_resource(closed(self.document)))

    def errors(self, pointer: str, value: object) -> list[str]:
        """What is wrong with a value, as `path: reason`, nothing where it is right."""
        validator = Draft202012Validator({"$ref": f"{BASE}#{pointer}"}, registry=self._registry, format_checker=formats)
        found = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
        return [f"{'/'.join(map(str, error.absolute_path)) or '(whole)'}: {error.message[:300]}" for error in found]

    def resolve(self, pointer: str) -> dict:
        value = lookup(self.document, f"#{pointer}")
        return self.resolve(value["$ref"].removeprefix("#")) if "$ref" in value else value


def closed(document: dict) -> dict:
    """OpenAPI 3.0's `nullable` said in JSON Schema, and objects closed that list their properties.

    A part of an `allOf` is opened and the whole closed in its place: parts that are closed each for itself, as some of the vendors'
    are, would refuse each other's keys. Where a file names a schema that it does not have, anything goes.
    """
    parts = {id(part) for whole in every(document) for part in whole.get("allOf", [])}
    bases = {part["$ref"] for whole in every(document) for part in whole.get("allOf", []) if "$ref" in part}
    parts |= {id(lookup(document, base)) for base in bases}

    def convert(node):
        if isinstance(node, list):
            return [convert(part) for part in node]
        if not isinstance(node, dict):
            return node
        if is_dangling(document, node.get("$ref")):
            return {}
        schema = {key: convert(part) for key, part in node.items()}
        if id(node) in parts:
            schema.pop("additionalProperties", None)
        lists_properties = isinstance(node.get("properties"), dict) or "allOf" in node
        if lists_properties and "additionalProperties" not in schema and id(node) not in parts:
            schema["unevaluatedProperties"] = False
        if schema.pop("nullable", False) is True:
            return {"anyOf": [schema, {"type": "null"}]}
        return schema

    return convert(document)


def every(node):
    """Every object in a document."""
    if isinstance(node, dict):
        yield node
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from every(part)


def is_dangling(document: dict, reference: object) -> bool:
    try:
        return isinstance(reference, str) and reference.startswith("#/") and lookup(document, reference) is None
    except (KeyError, TypeError):
        return True


def lookup(document: dict, reference: str) -> dict:
    value = document
    for part in reference.removeprefix("#/").split("/"):
        value = value[part.replace("~1", "/").replace("~0", "~")]
    return value


class AgentSocket(Spec):
    """The messages of the agent's socket, by direction and `type`."""

    def __init__(self):
        super().__init__(AGENT_SOCKET)
        channel = self.document["channels"]["AgentMessages"]
        self.from_agent = self._by_type(channel["publish"])
        self.to_agent = self._by_type(channel["subscribe"])

    def _by_type(self, operation) -> dict[str, str]:
        pointers = {}
        for message in operation["message"]["oneOf"]:
            pointer = self.resolve(message["$ref"].removeprefix("#"))["payload"]["$ref"].removeprefix("#")
            kind = self.resolve(pointer)["properties"].get("type", {})
            pointers[kind.get("const") or kind.get("enum", [None])[0] or "user_audio_chunk"] = pointer
        return pointers

    def pointer(self, message: dict) -> str | None:
        kind = message_kind(message)
        return self.from_agent.get(kind) or self.to_agent.get(kind)


def message_kind(message: dict) -> str:
    return message.get("type", "user_audio_chunk" if "user_audio_chunk" in message else "?")


class Rest(Spec):
    """Requests and answers of a REST API, by method and path."""

    def operation(self, method: str, path: str) -> tuple[str, dict, str] | None:
        """Pointer, definition and template of what serves this path. A fixed path goes before one with variables."""
        path = urllib.parse.urlsplit(path).path
        candidates = sorted(self.document["paths"], key=lambda template: template.count("{"))
        for template in candidates:
            pattern = "".join(
                "[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]+\})", template)
            )
            if re.fullmatch(pattern, path) and method.lower() in self.document["paths"][template]:
                escaped = template.replace("~", "~0").replace("/", "~1")
                return f"/paths/{escaped}/{method.lower()}", self.document["paths"][template][method.lower()], template
        return None

    def answer_pointer(self, method: str, path: str, status: int) -> str | None:
        found = self.operation(method, path)
        if not found:
            return None
        pointer, operation, _ = found
        schema = operation["responses"].get(str(status), {}).get("content", {}).get("application/json", {}).get("schema")
        escaped = f"{pointer}/responses/{status}/content/application~1json/schema"
        # A pointer goes into a URI, where braces are written in percent.
        return urllib.parse.quote(escaped, safe="/~") if schema else None

    def request_pointer(self, method: str, path: str, media_type: str) -> str | None:
        found = self.operation(method, path)
        if not found:
            return None
        pointer, operation, _ = found
        schema = operation.get("requestBody", {}).get("content", {}).get(media_type, {}).get("schema")
        escaped = f"{pointer}/requestBody/content/{media_type.replace('/', '~1')}/schema"
        return urllib.parse.quote(escaped, safe="/~") if schema else None

    def form_value(self, method: str, path: str, body: str) -> dict:
        """A form as the object that its schema describes: repeated names are arrays, numbers and booleans are read."""
        _, operation, _ = self.operation(method, path)
        schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
        value: dict = {}
        for name, text in urllib.parse.parse_qsl(body, keep_blank_values=True, strict_parsing=True):
            kind = schema["properties"].get(name, {}).get("type")
            if kind == "array":
                value.setdefault(name, []).append(text)
            else:
                assert name not in value, f"{name} comes twice and is no array"
                value[name] = from_text(text, kind)
        return value


def from_text(text: str, kind: str | None):
    match kind:
        case "integer" if re.fullmatch(r"-?\d+", text):
            return int(text)
        case "boolean" if text in ("true", "false"):
            return text == "true"
        case _:
            return text


def broken(value: dict, path: list, change) -> dict:
    """A copy with one place changed, to see that a check can fail."""
    copied = copy.deepcopy(value)
    place = copied
    for part in path:
        place = place[part]
    change(place)
    return copied
