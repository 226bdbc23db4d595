//! The streams in Redis: their names, their entries, and the mark by which it is known that nothing was missed.

use super::{
    address::Connection,
    content::{self, Content, SWEEP},
};
use redis::{RedisError, Value, cmd};
use seal::id::Service;

/// About how many entries a stream keeps.
const LENGTH: u64 = 10_000;
/// About how many entries are kept that nobody could deal with.
const DEAD: u64 = 1_000;

/// The stream of a service's heads. The braces keep the streams of a service in one slot of a Cluster.
pub(crate) fn heads(service: Service) -> String {
    format!("trialseal:{{{service}}}:heads")
}

/// Where entries are set aside that cannot be read, or that nobody could deal with.
pub(crate) fn dead(service: Service) -> String {
    format!("trialseal:{{{service}}}:dead")
}

/// An entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: String,
    /// Names and values in turn.
    pub(crate) fields: Vec<Vec<u8>>,
}

impl Entry {
    pub(crate) fn content(&self, service: Service) -> Option<Content> {
        content::read(service, &self.fields)
    }

    /// Whether it stands where [`stands`] looked for it.
    pub(crate) fn is_in(&self, answer: Value) -> bool {
        entries(answer).contains(self)
    }
}

/// The entries in an answer of the form `[[id, [name, value, …]], …]`; what has another form is passed over.
pub(crate) fn entries(answer: Value) -> Vec<Entry> {
    let Value::Array(entries) = answer else { return Vec::new() };
    entries.into_iter().filter_map(entry).collect()
}

fn entry(entry: Value) -> Option<Entry> {
    let Value::Array(parts) = entry else { return None };
    let [Value::BulkString(id), Value::Array(fields)] = <[Value; 2]>::try_from(parts).ok()? else { return None };
    let fields = fields.into_iter().map(|field| if let Value::BulkString(field) = field { field } else { Vec::new() });
    Some(Entry { id: String::from_utf8(id).ok()?, fields: fields.collect() })
}

/// The entries in the answer to a read of one stream, `[[stream, entries]]` or nothing.
pub(crate) fn read(answer: Value) -> Vec<Entry> {
    let Value::Array(streams) = answer else { return Vec::new() };
    let of = |stream| if let Value::Array(mut parts) = stream { parts.pop() } else { None };
    streams.into_iter().filter_map(of).flat_map(entries).collect()
}

/// An entry's fields, and a random one: numbers of entries are times, and a stream that was flushed may give one a second
/// time.
pub(crate) fn unique(fields: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut random = [0; 8];
    let _the_number_alone_will_do = getrandom::fill(&mut random);
    let owned = fields.iter().map(|(name, value)| (name.as_ref().to_vec(), value.as_ref().to_vec()));
    owned.chain([(b"nonce".to_vec(), random.to_vec())]).collect()
}

/// Adds an entry; a stream that has grown too long loses its oldest.
pub(crate) fn add(stream: &str, fields: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> redis::Cmd {
    let length = if stream.ends_with(":dead") { DEAD } else { LENGTH };
    let mut command = cmd("XADD");
    command.arg(stream).arg("MAXLEN").arg("~").arg(length).arg("*");
    for (name, value) in fields {
        command.arg(name.as_ref()).arg(value.as_ref());
    }
    command
}

/// The newest entry. As long as it stands there, nothing after it was lost, because streams lose their oldest first; an
/// empty stream is given one, which asks everybody to sweep.
pub(crate) async fn mark(connection: &mut Connection, stream: &str) -> Result<Entry, RedisError> {
    let newest = cmd("XREVRANGE").arg(stream).arg("+").arg("-").arg("COUNT").arg(1).query_async(connection).await?;
    if let Some(newest) = entries(newest).pop() {
        return Ok(newest);
    }
    let fields = unique(&SWEEP);
    let id = add(stream, &fields).query_async(connection).await?;
    Ok(Entry { id, fields: fields.into_iter().flat_map(|(name, value)| [name, value]).collect() })
}

/// Asks for what stands where a mark stood.
pub(crate) fn stands(stream: &str, mark: &Entry) -> redis::Cmd {
    let mut command = cmd("XRANGE");
    command.arg(stream).arg(&mark.id).arg(&mark.id).arg("COUNT").arg(1);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn entries_are_read_whatever_stands_among_them() {
        let good = Value::Array(vec![text("1-0"), Value::Array(vec![text("a"), Value::BulkString(vec![255])])]);
        let gone = Value::Array(vec![text("2-0"), Value::Nil]);
        let answer = Value::Array(vec![Value::Array(vec![text("s"), Value::Array(vec![gone, Value::Nil, good])])]);
        let expected = Entry { id: "1-0".to_owned(), fields: vec![b"a".to_vec(), vec![255]] };
        assert_eq!(read(answer), [expected]);
        assert_eq!(read(Value::Nil), []);
    }
}
