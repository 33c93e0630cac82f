//! What is asked of the tables, and how a row of them is read and written.

use address::Mailbox;
use auth::address_key;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Params, params};
use zeroize::Zeroizing;

use crate::Row;

/// Most accounts that may own one address.
const OWNERS_MAX: u32 = 256;

/// Begins every query for accounts: the columns in the order of [`Row::COLUMNS`].
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT accounts.login, password, (SELECT group_concat(address, char(10) ORDER BY \
             position) FROM addresses WHERE addresses.login = accounts.login), send_as, maildir, \
             home, cohort, disabled, must_change, quota, login_delay, sessions, \
             expire_retrieved, expire_arrived, limits FROM accounts ",
            $rest
        )
    };
}

/// The row of a login.
pub(super) fn find(connection: &Connection, login: &str) -> rusqlite::Result<Option<Row>> {
    let mut statement = connection.prepare_cached(select!("WHERE accounts.login = ?1"))?;
    statement.query_row([login], read).optional()
}

/// The rows that own an address, given as [`address_key`] spells it.
pub(super) fn owners(connection: &Connection, address: &str) -> rusqlite::Result<Vec<Row>> {
    let sql = select!(
        "JOIN addresses AS own ON own.login = accounts.login WHERE own.canonical = ?1 \
         ORDER BY own.position, own.login LIMIT ?2"
    );
    let mut rows = all(connection, sql, params![address, OWNERS_MAX])?;
    // One that somebody put there by hand, without a word about addresses.
    if rows.is_empty()
        && let Some(row) = find(connection, address)?
        && row.addresses.is_empty()
    {
        rows.push(row);
    }
    Ok(rows)
}

/// The next rows behind a login.
pub(super) fn page(connection: &Connection, after: &str, limit: u32) -> rusqlite::Result<Vec<Row>> {
    let sql = select!("WHERE accounts.login > ?1 ORDER BY accounts.login LIMIT ?2");
    all(connection, sql, params![after, limit])
}

/// The different things that are agreed with single accounts.
pub(super) fn agreed(connection: &Connection) -> rusqlite::Result<Vec<Row>> {
    let sql =
        "SELECT DISTINCT login_delay, sessions, expire_retrieved, expire_arrived FROM accounts
        WHERE login_delay IS NOT NULL OR sessions IS NOT NULL
           OR expire_retrieved IS NOT NULL OR expire_arrived IS NOT NULL LIMIT 10000";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Row {
            login_delay: row.get(0)?,
            sessions: row.get(1)?,
            expire_retrieved: row.get(2)?,
            expire_arrived: row.get(3)?,
            ..Row::default()
        })
    })?;
    rows.collect()
}

/// Puts another password field in the place of one; whether it was still there.
pub(super) fn replace(
    connection: &Connection,
    login: &str,
    old: &str,
    new: &str,
) -> rusqlite::Result<bool> {
    let sql = "UPDATE accounts SET password = ?3 WHERE login = ?1 AND password = ?2";
    Ok(connection.prepare_cached(sql)?.execute(params![login, old, new])? == 1)
}

/// Writes a row, in the place of one of the same login if there is one. `addresses`: what the
/// account sends as.
pub(super) fn put(
    connection: &Connection,
    login: &str,
    row: &Row,
    [disabled, must_change]: [bool; 2],
    addresses: &[Mailbox],
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO accounts (login, password, send_as, maildir, home, cohort, disabled,
            must_change, quota, login_delay, sessions, expire_retrieved, expire_arrived, limits)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
        ON CONFLICT (login) DO UPDATE SET password = ?2, send_as = ?3, maildir = ?4, home = ?5,
            cohort = ?6, disabled = ?7, must_change = ?8, quota = ?9, login_delay = ?10,
            sessions = ?11, expire_retrieved = ?12, expire_arrived = ?13, limits = ?14";
    let send_as = (!row.send_as.is_empty()).then(|| row.send_as.join("\n"));
    connection.prepare_cached(sql)?.execute(params![
        login,
        row.password.as_deref(),
        send_as,
        row.maildir,
        row.home,
        row.cohort,
        disabled,
        must_change,
        row.quota,
        row.login_delay,
        row.sessions,
        row.expire_retrieved,
        row.expire_arrived,
        row.limits,
    ])?;
    connection.prepare_cached("DELETE FROM addresses WHERE login = ?1")?.execute([login])?;
    let sql = "INSERT INTO addresses (login, position, address, canonical) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = connection.prepare_cached(sql)?;
    for (position, address) in addresses.iter().enumerate() {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        statement.execute(params![login, position, address.to_string(), address_key(address)])?;
    }
    Ok(())
}

/// Removes a row; whether there was one.
pub(super) fn delete(connection: &Connection, login: &str) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM accounts WHERE login = ?1";
    Ok(connection.prepare_cached(sql)?.execute([login])? == 1)
}

fn all(connection: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<Vec<Row>> {
    connection.prepare_cached(sql)?.query_map(values, read)?.collect()
}

fn read(found: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let mut row = Row::default();
    for (position, column) in Row::COLUMNS.into_iter().enumerate() {
        let wrong = |kind| {
            let name = column.to_owned();
            rusqlite::Error::InvalidColumnType(position, name, kind)
        };
        let text = match found.get_ref(position)? {
            ValueRef::Null => continue,
            ValueRef::Integer(number) => Zeroizing::new(number.to_string()),
            ValueRef::Text(text) => {
                let text = std::str::from_utf8(text).map_err(|_| wrong(Type::Text))?;
                Zeroizing::new(text.to_owned())
            }
            other => return Err(wrong(other.data_type())),
        };
        row.set(column, &text).map_err(|_| wrong(Type::Text))?;
    }
    Ok(row)
}
