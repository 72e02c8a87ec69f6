//! Runs that ask subjects drawn at random.

use super::Session;
use crate::{
    job::{
        drawn::{DrawnReport, PilotReport, StalenessReport},
        error::Error,
        passes,
    },
    model::State,
    plan::forecast,
    store::{Pass, PassOrigin},
};

impl Session {
    /// Draws the subjects of this run, if it asks only some.
    pub(crate) fn draw(&mut self) -> Result<(), Error> {
        if let Some(size) = self.settings.draw {
            let (origin, seed) = (self.origin(), self.settings.options.seed);
            self.drawn = self.store.draw(origin, size, seed, self.clock.now())?;
        }
        Ok(())
    }

    const fn origin(&self) -> PassOrigin {
        match self.settings.refresh {
            Some(_) => PassOrigin::Sample,
            None => PassOrigin::Pilot,
        }
    }

    /// The passes that this run works off.
    pub(super) fn passes(&self) -> Result<Vec<Pass>, Error> {
        let stored = self.store.passes();
        match self.settings.draw {
            None => passes::of_run(&stored, self.settings.refresh),
            Some(_) => {
                let drawn = stored.drawn(self.origin())?;
                Ok(drawn
                    .filter(|pass| Some(pass.id) == self.drawn)
                    .into_iter()
                    .collect())
            }
        }
    }

    /// What those drawn tell, as far as they were asked.
    pub(crate) fn drawn_report(&self) -> Result<Option<DrawnReport>, Error> {
        let Some(id) = self.drawn else {
            return Ok(None);
        };
        let counts = self.store.reader().drawn_counts(id)?;
        if self.settings.refresh.is_some() {
            return Ok(Some(DrawnReport::Sample(StalenessReport::of(&counts))));
        }
        let queued = self.store.tally().of(State::Queued);
        let mut pilot = PilotReport::of(counts, queued);
        let seconds = forecast(&self.forecast_input()?, pilot.projection.calls).seconds;
        pilot.projection.seconds = Some(seconds).filter(|_| pilot.asked > 0);
        Ok(Some(DrawnReport::Pilot(pilot)))
    }
}
