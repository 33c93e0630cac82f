-- The accounts. Texts are written as in the passwd-file: quota '1G,10000', login_delay '60s',
-- sessions '4', expire_retrieved '30d', expire_arrived 'never'. NULL: not said.
CREATE TABLE accounts (
    login            TEXT    NOT NULL PRIMARY KEY,       -- in lower case, with its domain
    password         TEXT,                               -- {SCHEME}hash; NULL: locked
    send_as          TEXT,                               -- what others delegated, one a line
    maildir          TEXT,
    home             TEXT,
    cohort           TEXT,
    disabled         INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    must_change      INTEGER NOT NULL DEFAULT 0 CHECK (must_change IN (0, 1)),
    quota            TEXT,
    login_delay      TEXT,
    sessions         TEXT,
    expire_retrieved TEXT,
    expire_arrived   TEXT,
    limits           TEXT
) STRICT, WITHOUT ROWID;

-- What each may send as and gets mail for; position 0 is the primary one.
CREATE TABLE addresses (
    login     TEXT    NOT NULL REFERENCES accounts (login) ON UPDATE CASCADE ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    address   TEXT    NOT NULL,                          -- as it is written
    canonical TEXT    NOT NULL,                          -- lower case, domain in A-labels
    PRIMARY KEY (login, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX addresses_canonical ON addresses (canonical, position, login);

-- The few accounts with which something of their own is agreed.
CREATE INDEX accounts_agreed ON accounts (login_delay, sessions, expire_retrieved, expire_arrived)
    WHERE login_delay IS NOT NULL OR sessions IS NOT NULL
       OR expire_retrieved IS NOT NULL OR expire_arrived IS NOT NULL;
