//! A cluster of bodies under their own gravity, every pair of them, sums along an axis: `cargo run --release --example nbody`.

use std::time::{Duration, Instant};

use numlift::{Args, Engine, Error, Kernel, View};

/// Sums over the second axis: that of the bodies that pull.
const PULL: &str = "
    dx = xj - x
    dy = yj - y
    dz = zj - z
    square = dx*dx + dy*dy + dz*dz + softening
    w = mass / (square * sqrt(square))
    ax = sum(w*dx, axis=1)
    ay = sum(w*dy, axis=1)
    az = sum(w*dz, axis=1)
    ax, ay, az
";
const ENERGY: &str = "
    square = (xj - x)**2 + (yj - y)**2 + (zj - z)**2 + softening
    sum(mass * (u*u + v*v + w*w)) / 2 - sum(where(square > softening, mass*massj / sqrt(square), 0)) / 2
";
const BODIES: usize = 1024;
const STEPS: usize = 50;
const STEP: f64 = 1e-3;
const SOFTENING: f64 = 1e-3;

/// Three coordinates of each body.
type Coordinates = [Vec<f64>; 3];

struct Cluster {
    mass: Vec<f64>,
    place: Coordinates,
    speed: Coordinates,
}

struct Kernels {
    pull: Kernel,
    energy: Kernel,
    advance: Kernel,
}

fn main() -> Result<(), Error> {
    let engine = Engine::new()?;
    let kernels =
        Kernels { pull: engine.compile(PULL)?, energy: engine.compile(ENERGY)?, advance: engine.compile("x + dt*u")? };
    let mut cluster = Cluster::new();
    let before = cluster.energy(&kernels)?;
    let mut pulls: Coordinates = Default::default();
    let began = Instant::now();
    for _ in 0..STEPS {
        pulls = cluster.pulls(&kernels)?;
        advance(&kernels, &mut cluster.speed, &pulls)?;
        advance(&kernels, &mut cluster.place, &cluster.speed)?;
    }
    let time = began.elapsed() / STEPS as u32;
    let after = cluster.energy(&kernels)?;
    println!("{BODIES} bodies, {STEPS} steps: energy {before:.6} before, {after:.6} after");
    assert!(((after - before) / before).abs() < 1e-2, "steps are short enough to keep the energy");

    pulls = cluster.pulls(&kernels).unwrap_or(pulls);
    let (expected, plain) = cluster.plain_loop();
    let far = |(a, b): (&f64, &f64)| ((a - b) / b.abs().max(1.0)).abs();
    let furthest = pulls.iter().flatten().zip(expected.iter().flatten()).map(far).fold(0.0, f64::max);
    println!("largest difference from the plain loop: {furthest:.1e}");
    assert!(furthest < 1e-12, "sums in another order are a few roundings apart");
    let rate = |time: Duration| (BODIES * BODIES) as f64 / time.as_secs_f64() / 1e6;
    println!("numlift     {time:>8.1?} a step  {:6.0} million pairs a second", rate(time));
    println!("plain loop  {plain:>8.1?} a step  {:6.0} million pairs a second, one thread", rate(plain));
    Ok(())
}

/// Each coordinate moves on by what it gains in a step.
fn advance(kernels: &Kernels, x: &mut Coordinates, gain: &Coordinates) -> Result<(), Error> {
    for (x, gain) in x.iter_mut().zip(gain) {
        kernels.advance.run(Args::new().inout("x", x).input("u", gain).scalar("dt", STEP))?;
    }
    Ok(())
}

fn column(x: &[f64]) -> View<'_> {
    View::new(x).shape([BODIES, 1])
}

impl Cluster {
    /// A ball that turns about an axis.
    fn new() -> Cluster {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        };
        let mut points = Vec::new();
        while points.len() < BODIES {
            let point = [next(), next(), next()];
            if point.iter().map(|x| x * x).sum::<f64>() < 1.0 {
                points.push(point);
            }
        }
        let along = |k: usize| points.iter().map(|point| point[k]).collect::<Vec<f64>>();
        let place = [along(0), along(1), along(2)];
        let speed = [
            place[1].iter().map(|y| -0.5 * y).collect(),
            place[0].iter().map(|x| 0.5 * x).collect(),
            vec![0.0; BODIES],
        ];
        Cluster { mass: vec![1.0 / BODIES as f64; BODIES], place, speed }
    }

    /// The places as columns and as rows: every pair meets where they broadcast.
    fn pairs(&self) -> Args<'_> {
        let [xj, yj, zj] = self.place.each_ref().map(View::new);
        let [x, y, z] = self.place.each_ref().map(|x| column(x));
        let args = Args::new().input("x", x).input("y", y).input("z", z);
        args.input("xj", xj).input("yj", yj).input("zj", zj).scalar("softening", SOFTENING)
    }

    fn pulls(&self, kernels: &Kernels) -> Result<Coordinates, Error> {
        let mut pulls = kernels.pull.eval(self.pairs().input("mass", &self.mass))?;
        Ok([pulls.take("ax")?, pulls.take("ay")?, pulls.take("az")?])
    }

    /// Kinetic and potential, of all pairs.
    fn energy(&self, kernels: &Kernels) -> Result<f64, Error> {
        let [u, v, w] = self.speed.each_ref().map(|x| column(x));
        let args = self.pairs().input("mass", column(&self.mass)).input("massj", &self.mass);
        kernels.energy.scalar(args.input("u", u).input("v", v).input("w", w))
    }

    /// The pulls by a loop over all pairs, and its time.
    fn plain_loop(&self) -> (Coordinates, Duration) {
        let began = Instant::now();
        let [x, y, z] = &self.place;
        let mut pulls: Coordinates = Default::default();
        for i in 0..BODIES {
            let mut sums = [0.0; 3];
            for j in 0..BODIES {
                let [dx, dy, dz] = [x[j] - x[i], y[j] - y[i], z[j] - z[i]];
                let square = dx * dx + dy * dy + dz * dz + SOFTENING;
                let w = self.mass[j] / (square * square.sqrt());
                sums = [sums[0] + w * dx, sums[1] + w * dy, sums[2] + w * dz];
            }
            pulls.iter_mut().zip(sums).for_each(|(pulls, sum)| pulls.push(sum));
        }
        (pulls, began.elapsed())
    }
}
