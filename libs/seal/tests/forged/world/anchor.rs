//! The blocks that entries are in, and the chain that blocks are on.

use super::{ORIGIN, World, log};
use seal::{
    Hash,
    block::Block,
    bundle::{BlockPart, Bundle},
    entry::hash,
    id::Service,
    text::{Base64, Hex},
};
use std::ops::Range;
use tlog::{checkpoint::Checkpoint, merkle::Tree, note};

impl World {
    pub(super) fn anchor(&self, bundle: &mut Bundle) {
        self.anchor_in(bundle, &Service::ALL.map(|service| (service, 0..self.next(service) as usize)));
    }

    /// Puts each entry into the last of these blocks that covers it, and the blocks on a chain.
    pub fn anchor_in(&self, bundle: &mut Bundle, blocks: &[(Service, Range<usize>)]) {
        let mut used = vec![false; blocks.len()];
        for part in &mut bundle.entries {
            let place = part.number as usize;
            let covers =
                |(service, range): &(Service, Range<usize>)| *service == part.service && range.contains(&place);
            let Some(at) = blocks.iter().rposition(covers) else { continue };
            let (service, range) = &blocks[at];
            let tree = self.journals[service].tree_of(range.clone());
            part.path = tree.path(place - range.start).into_iter().map(Hex).collect();
            used[at] = true;
        }
        let blocks: Vec<Vec<u8>> = blocks.iter().map(|(service, range)| self.block(*service, range.clone())).collect();
        let chain = Tree::new(&blocks.iter().map(|block| hash(block)).collect::<Vec<_>>());
        let size = blocks.len() as u64;
        let used = blocks.into_iter().enumerate().filter(|(place, _)| used[*place]);
        bundle.blocks = used
            .map(|(place, block)| BlockPart {
                block: Base64(block),
                index: place as u64,
                path: chain.path(place).into_iter().map(Hex).collect(),
            })
            .collect();
        let checkpoint =
            Checkpoint { origin: ORIGIN.to_owned(), size, root: chain.root(), extensions: Vec::new() }.to_string();
        bundle.checkpoint = format!("{checkpoint}\n{}", note::sign(&checkpoint, &log()).unwrap());
    }

    fn block(&self, service: Service, range: Range<usize>) -> Vec<u8> {
        Block {
            stream: service.stream(self.study),
            number: 0,
            first: range.start as u64,
            count: range.len() as u32,
            root: self.journals[&service].tree_of(range).root(),
            time: self.time,
            previous: Hash::ZERO,
        }
        .to_bytes()
    }
}
