//! Calls as they are on the wire: with headers no generated client would send, and without what it does by itself.

use axum::{
    body::{Body, Bytes},
    http::{Request, Response},
};
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use prost::Message;
use proto::anchoring::GetCheckpointRequest;
use std::{convert::Infallible, future::ready, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub const PATH: &str = "/trialseal.anchoring.v1.AnchoringService/GetCheckpoint";

/// One unary gRPC call, its answer read to the end.
pub async fn post(address: SocketAddr, what: u64, headers: &[(&str, &str)]) -> Response<Bytes> {
    try_post(address, what, headers).await.unwrap()
}

/// The same; nothing if the connection broke.
pub async fn try_post(address: SocketAddr, what: u64, headers: &[(&str, &str)]) -> Option<Response<Bytes>> {
    let message = GetCheckpointRequest { at_most: what }.encode_to_vec();
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    let mut request = Request::post(format!("http://{address}{PATH}")).header("content-type", "application/grpc");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let request = request.header("te", "trailers").body(Body::new(Full::new(Bytes::from(framed)))).unwrap();
    let (head, body) = client.request(request).await.ok()?.into_parts();
    Some(Response::from_parts(head, body.collect().await.ok()?.to_bytes()))
}

/// One request over HTTP/2 with a body of its own; its answer read to the end.
pub async fn send(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    let mut request = Request::post(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let (head, body) = client.request(request.body(Body::empty()).unwrap()).await.unwrap().into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

/// Begins a unary gRPC call, says that its message has so many bytes, and sends none of them until it is dropped.
pub async fn announce(address: SocketAddr, length: u32) {
    let prefix = [&[0][..], &length.to_be_bytes()].concat();
    let body = stream::once(ready(Ok::<_, Infallible>(Bytes::from(prefix)))).chain(stream::pending());
    let request = Request::post(format!("http://{address}{PATH}")).header("content-type", "application/grpc");
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let _never_answered = client.request(request.body(Body::from_stream(body)).unwrap()).await;
}

/// One request over HTTP/1.1: head and body.
pub async fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}
