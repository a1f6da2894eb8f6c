import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fakes.clips import make_clip
from sonotempo.evaluation.report.page.outlines import outlines_of
from sonotempo.evaluation.report.page.viewer import (
    ClipLimits,
    Clips,
    choose_recordings,
    json_for_html,
    pack_clip,
    pack_clips,
    worst_part,
)
from sonotempo.structures import AXILLARY


def written(value):
    return "–" if np.isnan(value) else f"{value:.3f}"


def packed(clip, **limits):
    one = pack_clip(clip, ClipLimits(**limits), written)
    return one, json.loads(one.text)


class TestPacking:
    def test_outlines_are_those_of_the_masks(self):
        clip = make_clip(frames=3)
        _, content = packed(clip)
        assert content["reference"][1] == [list(one) for one in outlines_of(clip.reference_TSS[1])]
        drawn = outlines_of(clip.arms["sequence"].masks_TSS[2])
        assert content["drawn"]["sequence"][2] == [list(one) for one in drawn]

    def test_frames_look_as_they_did(self):
        clip = make_clip(frames=2)
        smooth_SS = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
        clip = replace(clip, frames_TSS=np.stack([smooth_SS, smooth_SS.T]))
        _, content = packed(clip)
        image = Image.open(io.BytesIO(base64.b64decode(content["frames"][1])))
        assert image.format == "WEBP"
        seen_SS = np.asarray(image.convert("L"), int)
        assert np.abs(seen_SS - smooth_SS.T).mean() < 3

    def test_empty_rows_at_the_bottom_are_left_out(self):
        clip = make_clip(frames=2)
        frames_TSS = clip.frames_TSS.copy()
        frames_TSS[:, 20:] = 0
        _, content = packed(replace(clip, frames_TSS=frames_TSS))
        lowest = np.flatnonzero(clip.reference_TSS.any(axis=(0, 2)))[-1]
        assert lowest < content["rows"] < 64  # down to the lowest mask, whoever drew it
        image = Image.open(io.BytesIO(base64.b64decode(content["frames"][0])))
        assert image.size == (content["columns"], content["rows"])

    def test_what_is_not_labelled_or_not_predicted_is_not_an_empty_mask(self):
        clip = make_clip(frames=4, labelled=[3])
        _, content = packed(clip)
        assert [one is None for one in content["reference"]] == [True, True, True, False]
        assert [one is None for one in content["drawn"]["frame"]] == [True, True, True, False]
        assert None not in content["drawn"]["sequence"]
        assert content["dice"]["sequence"][0] == ["–"] * 4

    def test_each_frame_has_the_dice_of_its_structures_and_their_mean(self):
        clip = make_clip(frames=2)
        _, content = packed(clip)
        dice_K = clip.arms["frame"].dice_TK[1]
        assert content["dice"]["frame"][1] == [*map(written, dice_K), written(np.nanmean(dice_K))]

    def test_times_are_the_recordings_own(self):
        _, content = packed(make_clip(frames=3, period_ns=33_333_333))
        assert content["times_ms"] == [0, 33.33, 66.67]
        assert content["numbers"] == [100, 101, 102]

    def test_stamps_that_stand_still_are_no_times(self):
        _, content = packed(make_clip(frames=3, period_ns=0))
        assert content["times_ms"] is None

    def test_nothing_in_a_name_can_end_the_script(self):
        name = "</script><script>alert(1)</script>&\u2028\"'"
        one, content = packed(make_clip(name))
        assert content["name"] == name
        assert not set("<>&") & set(one.text)

    def test_masks_of_another_size_are_refused(self):
        clip = make_clip(frames=2)
        with pytest.raises(ValueError, match=r"masks of the reference of anna/one have the shape"):
            replace(clip, reference_TSS=clip.reference_TSS[:, :32])

    def test_too_few_time_stamps_are_refused(self):
        with pytest.raises(ValueError, match="anna/one has 2 frames; give as many"):
            replace(make_clip(frames=2), timestamps_ns=np.zeros(1, np.int64))


class TestLimits:
    @staticmethod
    def clips(count, **limits):
        shown = (
            make_clip(f"s{i}/one", f"s{i}", frames=4, error_px=i, seed=i) for i in range(count)
        )
        return Clips(AXILLARY, shown, count, limits=ClipLimits(**limits))

    def test_the_worst_comes_first(self):
        dice = [one.dice for one in pack_clips(self.clips(5), written)]
        assert dice == sorted(dice)
        assert len(dice) == 5

    def test_no_more_recordings_than_allowed(self):
        assert len(pack_clips(self.clips(5, clips=2), written)) == 2

    def test_no_more_bytes_than_allowed(self):
        one = len(pack_clips(self.clips(1), written)[0].text) / 1e6
        few = pack_clips(self.clips(5, megabytes=2.5 * one), written)
        assert sum(len(one.text) for one in few) <= 2.5e6 * one
        assert len(few) == 2

    def test_recordings_beyond_the_limit_are_not_even_read(self):
        def shown():
            yield make_clip(frames=2)
            pytest.fail("read one too many")

        assert (
            len(pack_clips(Clips(AXILLARY, shown(), 9, limits=ClipLimits(clips=1)), written)) == 1
        )

    def test_progress_is_told_of_each(self):
        told = []
        pack_clips(replace(self.clips(3), on_clip=lambda: told.append(1)), written)
        assert len(told) == 3

    def test_an_undefined_recording_comes_last(self):
        blank = make_clip("blank", frames=2, labelled=[])
        clips = Clips(AXILLARY, [blank, make_clip("b", frames=2)], 2)
        assert [one.name for one in pack_clips(clips, written)] == ["b", "blank"]


DICE = {f"r{i:02d}": i / 20 for i in range(20)}


class TestChoice:
    def test_half_are_the_worst_and_the_best_is_there(self):
        chosen = choose_recordings(DICE, 6)
        assert set(chosen) >= {"r00", "r01", "r02", "r19"}
        assert len(set(chosen)) == 6

    def test_all_are_chosen_where_there_are_few(self):
        assert sorted(choose_recordings(DICE, 50)) == sorted(DICE)

    def test_a_choice_that_is_cut_off_still_has_both_ends(self):
        assert choose_recordings(DICE, 10)[:2] == ["r00", "r19"]

    @pytest.mark.parametrize("most", [0, 1])
    def test_few_may_be_asked_for(self, most):
        assert choose_recordings(DICE, most) == ["r00"][:most]

    def test_undefined_recordings_are_not_the_worst(self):
        assert choose_recordings({"a": np.nan, "b": 0.5}, 1) == ["b"]

    @pytest.mark.parametrize(
        ("worst", "part"), [(0, slice(0, 4)), (5, slice(3, 7)), (9, slice(6, 10))]
    )
    def test_a_long_recording_is_cut_around_its_worst_frame(self, worst, part):
        dice_T = np.full(10, 0.9)
        dice_T[worst] = 0.1
        assert worst_part(dice_T, 4) == part

    def test_a_short_one_is_whole(self):
        assert worst_part(np.full(3, np.nan), 10) == slice(0, 3)


def test_json_is_what_it_was():
    value = {"a": ["<", ">", "&", 1.5, None]}
    assert json.loads(json_for_html(value)) == value
