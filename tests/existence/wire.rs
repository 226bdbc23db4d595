//! The methods there are, by the descriptors; and calling any of them with a message written as JSON.

use channel::{Channel, Settings};
use prost::{
    Message,
    bytes::{Buf, BufMut},
    encoding::{WireType, encode_key, encode_varint},
};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use seal::id::Service;
use serde_json::Value;
use std::collections::BTreeMap;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};
use trialseal::deployment::Deployment;
use vocabulary::command::{Payload, Submission};

/// The most messages of an answer that are compared.
const MOST: usize = 100;

/// A method at one of the services that have it.
pub(crate) struct Method {
    /// Such as `GetForm`.
    pub(crate) name: String,
    /// Such as `capture`; of journals the service that has the journal.
    pub(crate) service: &'static str,
    /// The type of its request.
    input: String,
    path: String,
    url: String,
}

impl Method {
    /// Whether its request is a signed command.
    pub(crate) fn is_signed(&self, types: &Types) -> bool {
        types.0[&self.input].field.first().is_some_and(|field| field.name() == "envelope")
    }
}

/// Every type of message, by its full name.
pub(crate) struct Types(BTreeMap<String, DescriptorProto>);

/// The types and methods of `proto/`, each method at every service that serves it.
pub(crate) fn described(deployment: &Deployment) -> (Types, Vec<Method>) {
    let set = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap();
    let mut types = BTreeMap::new();
    let mut methods = Vec::new();
    for file in &set.file {
        let named = |message: &DescriptorProto| (format!(".{}.{}", file.package(), message.name()), message.clone());
        types.extend(file.message_type.iter().map(named));
        for service in &file.service {
            for method in &service.method {
                methods.extend(endpoints(deployment, file.package()).into_iter().map(|(at, url)| Method {
                    name: method.name().to_owned(),
                    service: at,
                    input: method.input_type().to_owned(),
                    path: format!("/{}.{}/{}", file.package(), service.name(), method.name()),
                    url,
                }));
            }
        }
    }
    (Types(types), methods)
}

/// Where the services of a package are.
fn endpoints(deployment: &Deployment, package: &str) -> Vec<(&'static str, String)> {
    let at = &deployment.endpoints;
    let all = [
        ("enrollment", &at.enrollment),
        ("consent", &at.consent),
        ("capture", &at.capture),
        ("anchoring", &at.anchoring),
    ];
    let short = package.split('.').nth(1).unwrap();
    let serves = |name: &str| name == short || (short == "journal" && name != "anchoring");
    let found: Vec<_> =
        all.into_iter().filter(|(name, _)| serves(name)).map(|(name, url)| (name, url.clone())).collect();
    assert!(!found.is_empty(), "say which services serve {package}");
    found
}

impl Types {
    /// The request of `method`, of a JSON object that has every field: bytes in hexadecimal, null where a message is absent.
    pub(crate) fn request(&self, method: &Method, value: &Value) -> Vec<u8> {
        self.encode(&method.input, value)
    }

    fn encode(&self, name: &str, value: &Value) -> Vec<u8> {
        let message = &self.0[name];
        let mut bytes = Vec::new();
        for field in &message.field {
            let value = value.get(field.name());
            let value = value.unwrap_or_else(|| panic!("{name}: say what is sent as `{}`", field.name()));
            match value {
                Value::Null => {}
                Value::Array(values) if field.label() == Label::Repeated => {
                    values.iter().for_each(|value| self.field(field, value, &mut bytes));
                }
                value => self.field(field, value, &mut bytes),
            }
        }
        bytes
    }

    fn field(&self, field: &FieldDescriptorProto, value: &Value, into: &mut Vec<u8>) {
        let tag = u32::try_from(field.number()).unwrap();
        let bytes = match field.r#type() {
            Type::String => value.as_str().unwrap().as_bytes().to_vec(),
            Type::Bytes => unhex(value.as_str().unwrap()),
            Type::Message => self.encode(field.type_name(), value),
            Type::Uint32 | Type::Uint64 | Type::Enum | Type::Bool => {
                encode_key(tag, WireType::Varint, into);
                return encode_varint(value.as_u64().unwrap(), into);
            }
            other => panic!("say how {other:?} is encoded"),
        };
        encode_key(tag, WireType::LengthDelimited, into);
        encode_varint(bytes.len() as u64, into);
        into.extend(bytes);
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Calls services, each over one channel.
#[derive(Default)]
pub(crate) struct Caller(BTreeMap<String, Grpc<Channel>>);

impl Caller {
    /// The messages of the answer, and how it ended.
    pub(crate) async fn call(
        &mut self,
        method: &Method,
        request: Request<Vec<u8>>,
    ) -> (Vec<Vec<u8>>, Result<(), Status>) {
        let new = || Grpc::new(Channel::new(&method.url, None, Settings::default()).unwrap());
        let grpc = self.0.entry(method.url.clone()).or_insert_with(new);
        grpc.ready().await.unwrap();
        let mut found = Vec::new();
        let mut answer = match grpc.server_streaming(request, method.path.parse().unwrap(), Raw).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return (found, Err(status)),
        };
        while found.len() < MOST {
            match answer.message().await {
                Ok(Some(message)) => found.push(message),
                Ok(None) => break,
                Err(status) => return (found, Err(status)),
            }
        }
        (found, Ok(()))
    }
}

/// Messages as they are on the wire.
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; from.remaining()];
        from.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}

/// The recording service of that name; capture for others.
pub(crate) fn journal(service: &str) -> Service {
    Service::ALL.into_iter().find(|known| known.name() == service).unwrap_or(Service::Capture)
}

/// The kind of command whose request is that of `method`.
pub(crate) fn kind(method: &str) -> String {
    if method.starts_with("SubmitForm") {
        return <Submission as Payload>::KIND.to_owned();
    }
    let mut dashed = String::new();
    for letter in method.chars() {
        if letter.is_ascii_uppercase() && !dashed.is_empty() {
            dashed.push('-');
        }
        dashed.push(letter.to_ascii_lowercase());
    }
    dashed
}
