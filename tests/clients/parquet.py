"""Reads an archive as its users would, in one line each: parquet.py FOLDER. Prints what DuckDB and pandas make of it as JSON."""

import json
import sys

import duckdb
import pandas

folder = sys.argv[1]
events = duckdb.sql(f"SELECT * FROM read_parquet('{folder}/audit_event/*/*/*.parquet')")
counts = duckdb.sql("SELECT count(*), count(DISTINCT day), max(\"at\")::VARCHAR FROM events").fetchall()[0]
findings = duckdb.sql(f"SELECT judge_id, count(*) FROM read_parquet('{folder}/finding/*/*/*.parquet') GROUP BY 1 ORDER BY 1")
exchanges = pandas.read_parquet(f"{folder}/exchange")
print(
    json.dumps(
        {
            "types": dict(zip(events.columns, map(str, events.types))),
            "events": counts[0],
            "days": counts[1],
            "newest": counts[2],
            "findings": dict(findings.fetchall()),
            "exchanges": len(exchanges),
            "tenants": sorted(exchanges["tenant"].unique().tolist()),
            "tokens": int(exchanges["prompt_tokens"].sum()),
            "started": str(exchanges["started_at"].dtype),
            "latency": json.loads(exchanges["latency_us"].dropna().iloc[0]),
        }
    )
)
