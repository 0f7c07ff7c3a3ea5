"""The tokenizer of multilingual-e5-small, built from the packed pieces."""

from typing import TYPE_CHECKING

from matcher.embed.packed import Pieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# sentencepiece leaves the full-width tilde as it is and NFKC does not, so it passes NFKC disguised
# as a code point that Unicode reserves for such inner use.
_TILDE, _DISGUISE = "～", "\ufdd0"


def build_tokenizer(pieces: Pieces) -> "Tokenizer":
    """A Unigram tokenizer that adds `<s>` and `</s>` and neither cuts nor pads.

    It is the one of XLM-R: nmt_nfkc (all 4,837 characters of the packed table come out as the
    table has them), a split at blanks, `▁` before each word. Takes 0.5 s, nearly all of it the
    library's own trie of 250,002 pieces.
    """
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(list(pieces.vocabulary), pieces.unk))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(_TILDE, _DISGUISE),
            normalizers.Nmt(),
            normalizers.NFKC(),
            normalizers.Replace(_DISGUISE, _TILDE),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    bos, eos, pad, unk = (
        pieces.vocabulary[at][0] for at in (pieces.bos, pieces.eos, pieces.pad, pieces.unk)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}",
        pair=f"{bos} $A {eos} {eos} $B {eos}",
        special_tokens=[(bos, pieces.bos), (eos, pieces.eos)],
    )
    special = [AddedToken(token, special=True) for token in (bos, pad, eos, unk)]
    tokenizer.add_special_tokens([*special, AddedToken("<mask>", lstrip=True, special=True)])
    return tokenizer
