-- Retention classes, and the chain's hashes apart from the records' bodies: they stay until no class of that day has anything
-- left, so that what was given up can be told from what was taken away.

ALTER TABLE audit_event ADD COLUMN class text NOT NULL DEFAULT 'standard';
ALTER TABLE exchange ADD COLUMN class text NOT NULL DEFAULT 'standard';
ALTER TABLE verdict ADD COLUMN class text NOT NULL DEFAULT 'standard';
ALTER TABLE finding ADD COLUMN class text NOT NULL DEFAULT 'standard';
UPDATE audit_event SET class = 'system' WHERE kind = 'system';
CREATE INDEX audit_event_node ON audit_event (node, seq);
CREATE INDEX audit_event_kind ON audit_event (kind, at_us) WHERE exchange_id IS NULL;

CREATE TABLE audit_chain (
    day integer NOT NULL,
    node text NOT NULL,
    seq integer NOT NULL,
    class text NOT NULL,
    hash text NOT NULL,
    PRIMARY KEY (node, seq, day)
) WITHOUT ROWID;
INSERT INTO audit_chain SELECT day, node, seq, class, hash FROM audit_event;
