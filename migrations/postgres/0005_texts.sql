-- Prompts and replies in full, where policy records them: compressed and encrypted, apart from the records, which hold the
-- SHA-256 of the ciphertext. Without `wrapped` nobody can read a text any more.

CREATE TABLE passage_text (
    day         date     NOT NULL,
    class       text     NOT NULL,
    exchange_id uuid     NOT NULL,
    direction   text     NOT NULL,
    tenant      text     NOT NULL,
    key_id      text     NOT NULL,
    wrapped     bytea,
    ciphertext  bytea    NOT NULL,
    terms       bigint[] NOT NULL,
    PRIMARY KEY (day, class, exchange_id, direction)
) PARTITION BY RANGE (day);
-- It is compressed already, and encrypted bytes do not compress.
ALTER TABLE passage_text ALTER COLUMN ciphertext SET STORAGE EXTERNAL;
CREATE INDEX passage_text_exchange ON passage_text (exchange_id);
CREATE INDEX passage_text_terms ON passage_text USING gin (terms);
CREATE INDEX passage_text_key ON passage_text (key_id) WHERE wrapped IS NOT NULL;
