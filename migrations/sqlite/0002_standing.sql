-- Whether a finding acted, and what kept it from acting.

ALTER TABLE finding ADD COLUMN standing text NOT NULL DEFAULT 'acts';
ALTER TABLE finding ADD COLUMN standing_by text;
ALTER TABLE finding ADD COLUMN would text;
