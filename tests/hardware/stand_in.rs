//! Elements that stand in for hardware decoders: of their class, around a software decoder, with a "device" that they
//! open for writing when real ones do.

use std::fs::File;
use std::sync::{Mutex, OnceLock};

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::subclass::prelude::*;
use streampulse::model::Codec;

/// How a stand-in behaves. All but [`Self::Wrong`] pass the self-test, whose picture is 640×368, and show what they are
/// with a camera's, which is of another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Decodes everything.
    Good,
    /// Its caps have no room for the camera's size.
    Refuses,
    /// Takes it and reports that there is no memory.
    NoMemory,
    /// Takes it and never comes back.
    Hangs,
    /// Takes it, comes back, and no picture comes.
    Silent,
    /// Takes it and takes its process down.
    Crashes,
    /// Gives another picture than the known one.
    Wrong,
}

impl Behaviour {
    const ALL: [Self; 7] =
        [Self::Good, Self::Refuses, Self::NoMemory, Self::Hangs, Self::Silent, Self::Crashes, Self::Wrong];
}

/// One stand-in.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// Name of the element.
    pub element: String,
    /// What it decodes.
    pub codec: Codec,
    /// What it does with it.
    pub behaviour: Behaviour,
    /// GStreamer's rank.
    pub rank: i32,
    /// What it opens; empty: nothing.
    pub device: String,
}

impl StandIn {
    /// As one word, for an environment variable.
    pub fn to_word(&self) -> String {
        format!("{},{},{:?},{},{}", self.element, self.codec.as_str(), self.behaviour, self.rank, self.device)
    }

    fn from_word(word: &str) -> Self {
        let [element, codec, behaviour, rank, device] = word.split(',').collect::<Vec<_>>()[..] else {
            panic!("{word}")
        };
        let codec =
            [Codec::H265, Codec::Mjpeg].into_iter().find(|known| known.as_str() == codec).unwrap_or(Codec::H264);
        let behaviour = Behaviour::ALL.into_iter().find(|b| format!("{b:?}") == behaviour).expect("a behaviour");
        let rank = rank.parse().expect("a rank");
        Self { element: element.to_owned(), codec, behaviour, rank, device: device.to_owned() }
    }
}

/// The stand-ins of this process, each of a type of its own.
static STAND_INS: OnceLock<Vec<StandIn>> = OnceLock::new();

/// Registers what the words say.
pub fn register(words: &str) {
    gst::init().expect("GStreamer");
    let stand_ins = STAND_INS.get_or_init(|| words.split_whitespace().map(StandIn::from_word).collect());
    let types = [first::Element::static_type, second::Element::static_type, third::Element::static_type];
    assert!(stand_ins.len() <= types.len(), "too many stand-ins");
    for (stand_in, kind) in stand_ins.iter().zip(types) {
        // Whose name it takes, if anybody's: a plugin that is loaded later would take it back.
        let _original = gst::ElementFactory::find(&stand_in.element).map(|factory| factory.load());
        gst::Element::register(None, &stand_in.element, gst::Rank::from(stand_in.rank), kind()).expect("registered");
    }
}

fn caps_of(stand_in: &StandIn) -> gst::Caps {
    let caps = gst::Caps::builder(match stand_in.codec {
        Codec::H264 => "video/x-h264",
        Codec::H265 => "video/x-h265",
        Codec::Mjpeg => "image/jpeg",
    });
    if stand_in.behaviour == Behaviour::Refuses { caps.field("height", 368).build() } else { caps.build() }
}

fn templates(stand_in: &StandIn) -> Vec<gst::PadTemplate> {
    let template = |direction, name, caps: &gst::Caps| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).expect("template")
    };
    vec![
        template(gst::PadDirection::Sink, "sink", &caps_of(stand_in)),
        template(gst::PadDirection::Src, "src", &gst::Caps::builder("video/x-raw").build()),
    ]
}

/// True for the picture of the self-test.
fn is_known(pad: &gst::Pad) -> bool {
    let caps = pad.current_caps();
    let height = caps.as_ref().and_then(|caps| caps.structure(0)?.get::<i32>("height").ok());
    height == Some(368)
}

/// Puts a software decoder into the bin, behind pads that do what the behaviour says.
#[allow(clippy::disallowed_methods, reason = "it plays a driver that crashes")]
fn build(bin: &gst::Bin, stand_in: &StandIn) {
    let inner = match stand_in.codec {
        Codec::H264 => "avdec_h264",
        Codec::H265 => "avdec_h265",
        Codec::Mjpeg => "avdec_mjpeg",
    };
    let decoder = gst::ElementFactory::make(inner).build().expect(inner);
    if decoder.has_property("max-threads") {
        decoder.set_property("max-threads", 1);
    }
    bin.add(&decoder).expect("add");
    let [sink, src] = ["sink", "src"].map(|name| {
        let template = bin.pad_template(name).expect("template");
        let target = decoder.static_pad(name).expect(name);
        let pad = gst::GhostPad::from_template_with_target(&template, &target).expect(name);
        bin.add_pad(&pad).expect("pad");
        pad.upcast::<gst::Pad>()
    });
    let (behaviour, weak) = (stand_in.behaviour, bin.downgrade());
    sink.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        if is_known(pad) {
            return gst::PadProbeReturn::Ok;
        }
        match behaviour {
            Behaviour::Good | Behaviour::Wrong | Behaviour::Refuses => gst::PadProbeReturn::Ok,
            Behaviour::Silent => gst::PadProbeReturn::Drop,
            Behaviour::NoMemory => {
                if let Some(bin) = weak.upgrade() {
                    gst::element_error!(bin, gst::ResourceError::NoSpaceLeft, ["its text, which nobody reads"]);
                }
                info.data = None;
                info.flow_res = Err(gst::FlowError::Error);
                gst::PadProbeReturn::Handled
            }
            Behaviour::Crashes => std::process::abort(),
            Behaviour::Hangs => loop {
                std::thread::park();
            },
        }
    });
    if behaviour == Behaviour::Wrong {
        src.add_probe(gst::PadProbeType::BUFFER, |_, info| {
            if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
                let mut grey = buffer.copy_deep().expect("copy");
                grey.get_mut().expect("own").map_writable().expect("map").fill(128);
                *buffer = grey;
            }
            gst::PadProbeReturn::Ok
        });
    }
}

macro_rules! stand_in {
    ($module:ident, $number:literal, $name:literal) => {
        mod $module {
            use super::*;

            fn stand_in() -> &'static StandIn {
                &STAND_INS.get().expect("stand-ins")[$number]
            }

            #[derive(Default)]
            pub struct Imp {
                opened: Mutex<Option<File>>,
            }

            #[glib::object_subclass]
            impl ObjectSubclass for Imp {
                const NAME: &'static str = $name;
                type Type = Element;
                type ParentType = gst::Bin;
            }

            impl ObjectImpl for Imp {
                fn properties() -> &'static [glib::ParamSpec] {
                    static PROPERTIES: OnceLock<Vec<glib::ParamSpec>> = OnceLock::new();
                    PROPERTIES.get_or_init(|| vec![glib::ParamSpecString::builder("device").read_only().build()])
                }

                fn property(&self, _: usize, _: &glib::ParamSpec) -> glib::Value {
                    stand_in().device.to_value()
                }

                fn constructed(&self) {
                    self.parent_constructed();
                    build(self.obj().upcast_ref(), stand_in());
                }
            }

            impl GstObjectImpl for Imp {}
            impl BinImpl for Imp {}

            impl ElementImpl for Imp {
                fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                    static METADATA: OnceLock<gst::subclass::ElementMetadata> = OnceLock::new();
                    let class = "Codec/Decoder/Video/Hardware";
                    Some(METADATA.get_or_init(|| {
                        gst::subclass::ElementMetadata::new("Stand-in", class, "Stands in for a decoder", "Nobody")
                    }))
                }

                fn pad_templates() -> &'static [gst::PadTemplate] {
                    static TEMPLATES: OnceLock<Vec<gst::PadTemplate>> = OnceLock::new();
                    TEMPLATES.get_or_init(|| templates(stand_in()))
                }

                fn change_state(
                    &self,
                    change: gst::StateChange,
                ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
                    let mut opened = self.opened.lock().expect("device");
                    if change == gst::StateChange::NullToReady && !stand_in().device.is_empty() {
                        let file = File::options().read(true).write(true).open(&stand_in().device);
                        *opened = Some(file.map_err(|_| gst::StateChangeError)?);
                    }
                    drop(opened);
                    let changed = self.parent_change_state(change);
                    if change == gst::StateChange::ReadyToNull {
                        *self.opened.lock().expect("device") = None;
                    }
                    changed
                }
            }

            glib::wrapper! {
                pub struct Element(ObjectSubclass<Imp>) @extends gst::Bin, gst::Element, gst::Object;
            }
        }
    };
}

stand_in!(first, 0, "StandInFirst");
stand_in!(second, 1, "StandInSecond");
stand_in!(third, 2, "StandInThird");
