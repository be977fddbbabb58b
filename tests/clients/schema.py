"""Holds lines of JSON against a schema: schema.py SCHEMA FILE. Prints every line that does not fit, with the reason. A field that the
schema does not know is an error here, though not for those who read lines of a later version."""

import json
import sys

from jsonschema import Draft202012Validator



def strict(schema):
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


with open(sys.argv[1]) as file:
    schema = json.load(file)
Draft202012Validator.check_schema(schema)
schema = strict(schema)
validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
wrong = 0
with open(sys.argv[2]) as file:
    for number, line in enumerate(file, 1):
        for error in validator.iter_errors(json.loads(line)):
            wrong += 1
            print(f"line {number}: {error.json_path}: {error.message}\n  {line.strip()}")
print(f"{number} lines, {wrong} errors")
sys.exit(1 if wrong else 0)
