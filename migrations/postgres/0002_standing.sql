-- Whether a finding acted, and what kept it from acting.

ALTER TABLE finding
    ADD COLUMN standing    text NOT NULL DEFAULT 'acts',
    ADD COLUMN standing_by text,
    ADD COLUMN would       text;
