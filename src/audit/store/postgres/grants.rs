//! The statements that let reviewers read and nothing else.

/// SQL for whoever owns the tables: makes a role, unless it is there, that reads what was made for review. `records`: also the
/// records themselves and the encrypted texts beside them, which `audit verify` reads.
///
/// # Errors
/// A name that PostgreSQL would not take as it is.
pub fn grants(role: &str, records: bool) -> Result<String, String> {
    let is_name = role.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && role.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_name || role.len() > ROLE_BYTES {
        return Err(format!(
            "`{role}` is no name for a role; write 1 to {ROLE_BYTES} lower-case letters, digits and underscores, a letter first"
        ));
    }
    let mut tables = REVIEW.to_vec();
    if records {
        tables.extend(RECORDS);
    }
    let tables = tables.join(", ");
    Ok(format!(
        "DO $$\nBEGIN\n    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN\n        CREATE ROLE {role} NOLOGIN;\n    \
         END IF;\n    EXECUTE format('GRANT USAGE ON SCHEMA %I TO {role}', current_schema());\nEND $$;\n\
         GRANT SELECT ON {tables} TO {role};\n"
    ))
}

const REVIEW: [&str; 14] = [
    "exchange",
    "verdict",
    "finding",
    "incident",
    "review",
    "traffic",
    "stage_latency",
    "judge_hits",
    "principal_day",
    "incidents_by_rule",
    "principals_by_day",
    "false_alarm_candidates",
    "usage_by_day",
    "latency_by_stage",
];
const RECORDS: [&str; 3] = ["audit_chain", "audit_event", "passage_text"];
/// PostgreSQL cuts longer names.
const ROLE_BYTES: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_name_is_put_into_sql() {
        assert!(grants("reviewers_2", false).unwrap().contains("TO reviewers_2;"));
        for bad in ["", "x; DROP TABLE exchange", "Reviewers", "1a", "a-b", "a\"b", &"a".repeat(64)] {
            assert!(grants(bad, true).unwrap_err().contains("no name for a role"), "{bad}");
        }
    }
}
