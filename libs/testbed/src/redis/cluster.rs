//! Three masters that share the slots.

use super::{Redis, free_port, install, wait};
use std::io;

/// The slots of a cluster.
const SLOTS: usize = 16_384;

/// A Cluster of three masters without replicas. Stopped when dropped.
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts the three and waits until each knows who holds which slots.
    pub fn start() -> io::Result<Self> {
        install();
        let mut nodes = Vec::new();
        for place in 0..3 {
            let bus = free_port()?;
            let node = Redis::start_with(
                &["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()].map(str::to_owned),
            )?;
            let (first, end) = (place * SLOTS / 3, (place + 1) * SLOTS / 3);
            node.ask(&format!("CLUSTER ADDSLOTSRANGE {first} {}", end - 1))?;
            node.ask(&format!("CLUSTER SET-CONFIG-EPOCH {}", place + 1))?;
            nodes.push((node, bus));
        }
        let (first, others) = nodes.split_first().ok_or(io::ErrorKind::NotFound)?;
        for (node, bus) in others {
            first.0.ask(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port()))?;
        }
        let nodes: Vec<Redis> = nodes.into_iter().map(|(node, _)| node).collect();
        for node in &nodes {
            wait(|| node.ask("CLUSTER INFO").is_ok_and(|answer| is_complete(&answer)))?;
        }
        Ok(Self { nodes })
    }

    /// The address, `redis+cluster://…`, naming every node.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// Has every node forget everything.
    pub fn flush(&self) -> io::Result<()> {
        self.nodes.iter().try_for_each(Redis::flush)
    }
}

fn is_complete(answer: &str) -> bool {
    answer.contains("cluster_state:ok") && answer.contains("cluster_known_nodes:3")
}
