-- The API key whose limits an attempt uses up that is no call of its own: a transfer to an outside number.
ALTER TABLE dial_attempts ADD COLUMN charged_to TEXT;
CREATE INDEX dial_attempts_by_payer ON dial_attempts (charged_to, started_at) WHERE charged_to IS NOT NULL;
