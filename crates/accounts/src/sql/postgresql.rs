//! PostgreSQL, by `tokio-postgres` over a stream of our own.

use std::error::Error;

use bytes::BytesMut;
use sasl::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::AbortHandle;
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, Statement};

use super::config::{Place, Plan};
use super::driver::{Driver, Parameter, Problem, Reply, Request, Session, check_columns};
use super::query::{Query, Use};
use super::stream::{self, Allowance, Bounded, Stream};
use crate::Row;

/// What asks for TLS: length, and the code 1234.5679 (PostgreSQL 15 manual, section 55.7).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// How to connect to one server.
pub(super) struct PostgresqlDriver {
    place: Place,
    database: String,
    user: String,
    password: Option<Secret>,
}

/// One connection to it.
pub(super) struct PostgresqlSession {
    client: Client,
    /// What moves the octets; ended with the session.
    mover: AbortHandle,
    allowance: Allowance,
    /// By [`Use`].
    statements: [Option<Statement>; Use::EVERY.len()],
}

impl Drop for PostgresqlSession {
    fn drop(&mut self) {
        self.mover.abort();
    }
}

impl PostgresqlDriver {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            place: plan.place.clone(),
            database: plan.database.clone(),
            user: plan.user.clone(),
            password: plan.password.clone(),
        }
    }

    /// The stream, under TLS if it is to be.
    async fn stream(&self) -> Result<Box<dyn Stream>, Problem> {
        let mut stream = stream::connect(&self.place).await?;
        let Place::Tcp { tls: Some((tls, peer)), .. } = &self.place else { return Ok(stream) };
        stream.write_all(&SSL_REQUEST).await?;
        stream.flush().await?;
        // One octet and no more: what an impostor sent behind it must not be taken for
        // something that came under TLS.
        match stream.read_u8().await? {
            b'S' => Ok(Box::new(tls.connect(peer, stream).await?)),
            b'N' => Err(Problem::Refused("it has no TLS".to_owned())),
            other => Err(Problem::Nonsense(format!("octet {other:#04x} in answer to TLS"))),
        }
    }
}

impl Driver for PostgresqlDriver {
    type Session = PostgresqlSession;

    async fn connect(&self) -> Result<PostgresqlSession, Problem> {
        let (stream, allowance) = Bounded::new(self.stream().await?);
        let mut config = Config::new();
        config
            .user(&*self.user)
            .dbname(&*self.database)
            .application_name("lastpost")
            // TLS is there already, or is not wanted.
            .ssl_mode(SslMode::Disable)
            .channel_binding(ChannelBinding::Disable);
        if let Some(password) = &self.password {
            config.password(password.expose());
        }
        let (client, connection) =
            config.connect_raw(stream, NoTls).await.map_err(|error| of_connection(&error))?;
        let mover = tokio::spawn(async move {
            // What breaks it is told to whoever asks the next question.
            let _ = connection.await;
        });
        let statements = [const { None }; Use::EVERY.len()];
        Ok(PostgresqlSession { client, mover: mover.abort_handle(), allowance, statements })
    }
}

impl PostgresqlSession {
    async fn statement(&mut self, query: &Query) -> Result<Statement, Problem> {
        let position = query.purpose as usize;
        if let Some(Some(known)) = self.statements.get(position) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(&query.text).await;
        let statement = statement.map_err(|error| of_query(query, &error))?;
        if statement.params().len() != query.parameters.len() {
            return Err(Problem::query(query, "the server counts other placeholders"));
        }
        if query.purpose != Use::Update {
            check_columns(query, statement.columns().iter().map(|column| column.name()))?;
            for column in statement.columns() {
                if Form::of(column.type_()).is_none() {
                    let (name, kind) = (column.name(), column.type_());
                    let problem = format!(
                        "the column {name} is of the type {kind}; expected text, a boolean or a \
                         whole number, such as {name}::text"
                    );
                    return Err(Problem::query(query, problem));
                }
            }
        }
        if let Some(place) = self.statements.get_mut(position) {
            *place = Some(statement.clone());
        }
        Ok(statement)
    }

    async fn select(
        &mut self,
        query: &Query,
        parameters: &[Parameter],
        most: usize,
    ) -> Result<Vec<Row>, Problem> {
        let statement = self.statement(query).await?;
        let parameters: Vec<&(dyn ToSql + Sync)> =
            parameters.iter().map(|parameter| parameter as _).collect();
        let found = self.client.query(&statement, &parameters).await;
        let found = found.map_err(|error| of_query(query, &error))?;
        if found.len() > most {
            let problem = format!("{} rows; expected at most {most}", found.len());
            return Err(Problem::query(query, problem));
        }
        found.iter().map(|found| read(query, found)).collect()
    }

    /// Changes one row: where more would change, nothing does.
    async fn replace(&mut self, query: &Query, parameters: &[Parameter]) -> Result<bool, Problem> {
        let statement = self.statement(query).await?;
        let parameters: Vec<&(dyn ToSql + Sync)> =
            parameters.iter().map(|parameter| parameter as _).collect();
        let failed = |error: tokio_postgres::Error| of_query(query, &error);
        let transaction = self.client.transaction().await.map_err(failed)?;
        let changed = transaction.execute(&statement, &parameters).await.map_err(failed)?;
        match changed {
            0 | 1 => transaction.commit().await.map_err(failed)?,
            _ => transaction.rollback().await.map_err(failed)?,
        }
        match changed {
            0 => Ok(false),
            1 => Ok(true),
            many => Err(Problem::query(query, format!("it would change {many} rows"))),
        }
    }
}

impl Session for PostgresqlSession {
    fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    async fn ask(&mut self, request: Request<'_>) -> Result<Reply, Problem> {
        self.allowance.renew();
        match request {
            Request::Select(query, parameters, most) => {
                self.select(query, parameters, most).await.map(Reply::Rows)
            }
            Request::Replace(query, parameters) => {
                self.replace(query, parameters).await.map(Reply::Replaced)
            }
            Request::Check(query) => self.statement(query).await.map(|_| Reply::Fine),
        }
    }
}

/// Values go as text: the server knows the type of each place, and reads them as that.
impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Nothing => return Ok(IsNull::Yes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    fn to_sql_checked(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(kind, out)
    }
}

impl std::fmt::Debug for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parameter(..)")
    }
}

/// How the values of a type become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Boolean,
    Number,
    /// Several texts.
    List,
}

impl Form {
    fn of(kind: &Type) -> Option<Self> {
        match kind.kind() {
            Kind::Domain(inner) => return Self::of(inner),
            Kind::Enum(_) => return Some(Self::Text),
            Kind::Array(inner) => {
                return (Self::of(inner) == Some(Self::Text)).then_some(Self::List);
            }
            _ => {}
        }
        match *kind {
            Type::BOOL => Some(Self::Boolean),
            Type::INT2 | Type::INT4 | Type::INT8 => Some(Self::Number),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
                Some(Self::Text)
            }
            _ if kind.name() == "citext" => Some(Self::Text),
            _ => None,
        }
    }

    fn read(self, kind: &Type, octets: &[u8]) -> Result<String, String> {
        let text = |octets: &[u8]| {
            std::str::from_utf8(octets).map(str::to_owned).map_err(|_| "no UTF-8".to_owned())
        };
        match self {
            // A CHAR(n) comes filled up with spaces.
            Self::Text if *kind == Type::BPCHAR => {
                text(octets).map(|text| text.trim_end_matches(' ').to_owned())
            }
            Self::Text => text(octets),
            Self::Boolean => match octets {
                [0] => Ok("no".to_owned()),
                [1] => Ok("yes".to_owned()),
                _ => Err("no boolean".to_owned()),
            },
            Self::Number => {
                let number = match *octets {
                    [a, b] => i64::from(i16::from_be_bytes([a, b])),
                    [a, b, c, d] => i64::from(i32::from_be_bytes([a, b, c, d])),
                    [a, b, c, d, e, f, g, h] => i64::from_be_bytes([a, b, c, d, e, f, g, h]),
                    _ => return Err("no number".to_owned()),
                };
                Ok(number.to_string())
            }
            Self::List => {
                let list = Vec::<Option<String>>::from_sql(kind, octets)
                    .map_err(|error| error.to_string())?;
                Ok(list.into_iter().flatten().collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

/// A value as it came.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, octets: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(octets))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn read(query: &Query, found: &tokio_postgres::Row) -> Result<Row, Problem> {
    let mut row = Row::default();
    for (position, column) in found.columns().iter().enumerate() {
        let name = column.name();
        let wrong = |problem: &str| Problem::query(query, format!("column {name}: {problem}"));
        let value = found.try_get::<_, Option<Raw<'_>>>(position);
        let Some(Raw(octets)) = value.map_err(|error| wrong(&error.to_string()))? else { continue };
        let form = Form::of(column.type_()).ok_or_else(|| wrong("unknown type"))?;
        let text = form.read(column.type_(), octets).map_err(|problem| wrong(&problem))?;
        row.set(name, &text).map_err(|error| wrong(&error.to_string()))?;
    }
    Ok(row)
}

/// What the server or the stream said, without a value of ours.
fn said(error: &tokio_postgres::Error) -> String {
    if let Some(answer) = error.as_db_error() {
        return format!("{} ({})", answer.message(), answer.code().code());
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn of_connection(error: &tokio_postgres::Error) -> Problem {
    if error.as_db_error().is_some() {
        return Problem::Refused(said(error));
    }
    if error.is_closed() { Problem::Closed } else { Problem::Nonsense(said(error)) }
}

/// Whose trouble an error is (PostgreSQL 15 manual, appendix A).
fn of_query(query: &Query, error: &tokio_postgres::Error) -> Problem {
    let Some(answer) = error.as_db_error() else { return of_connection(error) };
    let code = answer.code().code();
    // Of the connection, of resources, of an operator; a table that was changed under a
    // prepared statement, and a statement that a pooler in between has forgotten.
    let of_server = ["08", "53", "57", "58", "XX"].iter().any(|class| code.starts_with(class));
    if of_server || matches!(code, "0A000" | "26000") {
        return Problem::Refused(said(error));
    }
    Problem::query(query, said(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_form_become_text() {
        let read = |kind: &Type, octets: &[u8]| Form::of(kind).unwrap().read(kind, octets);
        assert_eq!(read(&Type::TEXT, "ä".as_bytes()).unwrap(), "ä");
        assert_eq!(read(&Type::BPCHAR, b"ab  ").unwrap(), "ab");
        assert_eq!(read(&Type::BOOL, &[1]).unwrap(), "yes");
        assert_eq!(read(&Type::BOOL, &[0]).unwrap(), "no");
        assert_eq!(read(&Type::INT2, &[0xff, 0xff]).unwrap(), "-1");
        assert_eq!(read(&Type::INT4, &[0, 0, 1, 0]).unwrap(), "256");
        assert_eq!(read(&Type::INT8, &[0, 0, 0, 0, 0, 0, 0, 7]).unwrap(), "7");
        for (kind, octets) in
            [(Type::TEXT, &[0xff][..]), (Type::BOOL, &[2]), (Type::INT4, &[0, 1, 2])]
        {
            assert!(read(&kind, octets).is_err(), "{kind}");
        }
        for kind in [Type::FLOAT8, Type::NUMERIC, Type::BYTEA, Type::TIMESTAMP, Type::INT4_ARRAY] {
            assert_eq!(Form::of(&kind), None, "{kind}");
        }
        assert_eq!(Form::of(&Type::TEXT_ARRAY), Some(Form::List));
    }

    #[test]
    fn parameters_show_nothing() {
        assert_eq!(format!("{:?}", Parameter::text("hunter2")), "Parameter(..)");
    }
}
