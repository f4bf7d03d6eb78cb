//! Why a place is passed over: its requester is to ask again, with its current address and a fresh message-key.

/// Each of them came between the requester and its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aside {
    /// The requester closed the stream before it asked for a file: its download slot was taken.
    Deferred,
    /// The stream broke off.
    Lost,
    /// The disk with what it wants did not answer.
    DiskSilent,
    /// Uploads were switched off.
    Off,
    /// This daemon was started again.
    Restarted,
    /// Neither side could reach the other.
    Unreachable,
    /// Nothing moved.
    Idle,
    /// Too little moved while others waited.
    Slow,
    /// It had its time, and others waited.
    TurnOver,
}

impl Aside {
    /// Whether the requester still has its turn before it. Otherwise that was it, and others come first.
    pub(crate) fn keeps_turn(self) -> bool {
        matches!(self, Self::Deferred | Self::Lost | Self::DiskSilent | Self::Off | Self::Restarted)
    }

    /// For the person who gives.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Deferred => "is busy with another download; goes on when it asks again",
            Self::Lost => "the stream broke off; goes on when it asks again",
            Self::DiskSilent => "its files are on a disk that does not answer; goes on when it asks again",
            Self::Off => "uploads were off; goes on when it asks again",
            Self::Restarted => "waited before the restart; goes on when it asks again",
            Self::Unreachable => "could not be reached; set back until it asks again",
            Self::Idle => "took nothing; set back until it asks again",
            Self::Slow => "took too little while others wait; set back until it asks again",
            Self::TurnOver => "had its time while others wait; set back until it asks again",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Aside;

    #[test]
    fn who_could_not_take_its_turn_keeps_it_and_who_wasted_it_does_not() {
        for aside in [Aside::Deferred, Aside::Lost, Aside::DiskSilent, Aside::Off, Aside::Restarted] {
            assert!(aside.keeps_turn(), "{aside:?}");
        }
        for aside in [Aside::Unreachable, Aside::Idle, Aside::Slow, Aside::TurnOver] {
            assert!(!aside.keeps_turn(), "{aside:?}");
        }
    }
}
