//! The state map's nodes, kept for good under their hashes: a proof at any past entry is one walk from its root.

use crate::ReadError;
use moka::sync::Cache;
use seal::{
    Hash,
    map::{EMPTY, Node, Path, Terminal, turns_right},
};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use std::collections::HashMap;

/// Nodes made in the running transaction and not written yet.
pub(crate) type Fresh = HashMap<Hash, Node>;

/// Nodes read before and nonces of entries, in memory. Both never change: a node is found by its own hash.
#[derive(Clone)]
pub(crate) struct Known {
    nodes: Cache<Hash, Node>,
    pub(crate) nonces: Cache<(i64, u64), [u8; 16]>,
}

/// The most nodes, and the most nonces, in memory.
const KNOWN: u64 = 200_000;

impl Default for Known {
    fn default() -> Self {
        Self { nodes: Cache::new(KNOWN), nonces: Cache::new(KNOWN) }
    }
}

/// The way of `key` in the map with `root`.
pub(crate) async fn path(
    connection: &mut SqliteConnection,
    known: &Known,
    fresh: &Fresh,
    root: Hash,
    key: &Hash,
) -> Result<Path, ReadError> {
    let (mut siblings, mut at) = (Vec::new(), root);
    while at != EMPTY {
        let node = match fresh.get(&at).copied().or_else(|| known.nodes.get(&at)) {
            Some(node) => node,
            None => {
                let node = load(connection, &at).await?;
                known.nodes.insert(at, node);
                node
            }
        };
        match node {
            Node::Leaf(key, value) => return Ok(Path { siblings, terminal: Terminal::Leaf { key, value } }),
            Node::Inner(left, right) => {
                let right_turn = turns_right(key, siblings.len());
                siblings.push(if right_turn { left } else { right });
                at = if right_turn { right } else { left };
            }
        }
        if siblings.len() > 256 {
            return Err(ReadError::Broken);
        }
    }
    Ok(Path { siblings, terminal: Terminal::Empty })
}

async fn load(connection: &mut SqliteConnection, hash: &Hash) -> Result<Node, ReadError> {
    let row = sqlx::query("SELECT leaf, first, second FROM map_node WHERE hash = ?")
        .bind(hash.0.to_vec())
        .fetch_optional(connection)
        .await?
        .ok_or(ReadError::Broken)?;
    let part = |name| Hash::from_slice(&row.get::<Vec<u8>, _>(name)).ok_or(ReadError::Broken);
    let (first, second) = (part("first")?, part("second")?);
    let node = if row.get::<bool, _>("leaf") { Node::Leaf(first, second) } else { Node::Inner(first, second) };
    if hash_of(&node) == *hash { Ok(node) } else { Err(ReadError::Broken) }
}

fn hash_of(node: &Node) -> Hash {
    match node {
        Node::Leaf(key, value) => seal::map::leaf(key, value),
        Node::Inner(left, right) => seal::map::node(left, right),
    }
}

/// Writes fresh nodes.
pub(crate) async fn add(connection: &mut SqliteConnection, fresh: &Fresh) -> Result<(), sqlx::Error> {
    let nodes: Vec<(&Hash, &Node)> = fresh.iter().collect();
    for some in nodes.chunks(4_000) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT OR IGNORE INTO map_node (hash, leaf, first, second) ");
        query.push_values(some, |mut values, (hash, node)| {
            let (leaf, first, second) = match node {
                Node::Leaf(key, value) => (true, key, value),
                Node::Inner(left, right) => (false, left, right),
            };
            values.push_bind(hash.0.to_vec()).push_bind(leaf).push_bind(first.0.to_vec()).push_bind(second.0.to_vec());
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}
