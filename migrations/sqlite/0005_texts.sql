-- Prompts and replies in full, where policy records them: compressed and encrypted, apart from the records, which hold the
-- SHA-256 of the ciphertext. Without `wrapped` nobody can read a text any more.

CREATE TABLE passage_text (
    day         INTEGER NOT NULL,
    class       TEXT    NOT NULL,
    exchange_id TEXT    NOT NULL,
    direction   TEXT    NOT NULL,
    tenant      TEXT    NOT NULL,
    key_id      TEXT    NOT NULL,
    wrapped     BLOB,
    ciphertext  BLOB    NOT NULL,
    PRIMARY KEY (exchange_id, direction)
);
CREATE INDEX passage_text_day ON passage_text (day, class);
CREATE INDEX passage_text_key ON passage_text (key_id) WHERE wrapped IS NOT NULL;

-- Keyed hashes of the words that a text can be found by.
CREATE TABLE passage_term (
    term        INTEGER NOT NULL,
    exchange_id TEXT    NOT NULL,
    direction   TEXT    NOT NULL,
    PRIMARY KEY (term, exchange_id, direction)
) WITHOUT ROWID;
CREATE INDEX passage_term_exchange ON passage_term (exchange_id, direction);
