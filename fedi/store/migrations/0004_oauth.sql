-- Ending every session or grant of a person, or of an app, without reading the whole table.
CREATE INDEX web_session_account ON web_session (account);
CREATE INDEX token_app ON token (app);
CREATE INDEX oauth_code_expires ON oauth_code (expires_at);
