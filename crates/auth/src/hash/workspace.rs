//! The memory that argon2 fills, used again from one hash to the next.

use argon2::Block;
use zeroize::Zeroize;

use super::HashError;

/// Argon2's blocks. Fresh memory costs as much as the hash itself: the kernel must zero it.
pub(crate) struct Workspace {
    blocks: Vec<Block>,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    /// `count` blocks of 1 KiB with whatever is in them.
    pub(super) fn blocks(&mut self, count: usize) -> Result<&mut [Block], HashError> {
        if self.blocks.len() < count {
            let more = count - self.blocks.len();
            self.blocks.try_reserve_exact(more).map_err(|_| HashError::OutOfMemory)?;
            self.blocks.resize(count, Block::new());
        }
        Ok(&mut self.blocks[..count])
    }

    /// Wipes the memory and gives it back.
    pub(crate) fn release(&mut self) {
        self.blocks.iter_mut().for_each(Zeroize::zeroize);
        self.blocks = Vec::new();
    }

    /// KiB held.
    pub(crate) fn kib(&self) -> usize {
        self.blocks.len()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        self.release();
    }
}
