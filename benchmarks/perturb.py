"""Changed texts: what happens to an issue on its way to the program, and what a profile may try.

Every change depends on its name and on the ids of what it changes, never on the order of a run.
"""

import hashlib
import random
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import fugashi

from matcher import codes, text
from matcher.types import Company, Issue

Change = Callable[[Issue], Issue]

# What stands before and after the matter in a long-winded sheet.
_RAMBLING = (
    (
        "平素より本市の行政運営に格別のご理解とご協力を賜り、厚く御礼申し上げます。さて、本市では多様化する行政課題に"
        "ついて民間の皆さまのお知恵をお借りするため、庁内各課から課題を募り、下記のとおり提案を広く受け付けることと"
        "いたしました。本様式は担当課が記入し、とりまとめ課を経て公表するものです。記載の内容は現時点の考えであり、"
        "今後の検討により変わることがあります。",
        "提案を希望される方は、所定の様式に必要事項を記入し、電子メールで提出してください。質問は書面でのみ受け付け、"
        "回答は一括してホームページに掲載します。提出された書類は返却しません。書類審査と面談を経て対話の相手を決めます"
        "が、結果についての異議には応じられません。費用については、当面は予算措置を予定しておらず、効果が認められた場合に"
        "翌年度以降の予算要求を検討します。提案に要する経費は全て提案者の負担とします。暴力団排除条例に基づく誓約書、"
        "直近二期分の決算書、登記事項証明書を添付してください。個人情報の取扱いは本市の条例に従います。提案は一者につき"
        "一件に限り、提出後の差し替えは認めません。対話は一者当たり三十分程度とし、日時は別途お知らせします。参加の有無や"
        "対話の内容が、今後の入札や公募で有利または不利に働くことはありません。公表の際は企業名を伏せます。",
    ),
    (
        "お世話になっております。先日の打合せではありがとうございました。資料が遅くなり申し訳ありません。部長への説明が"
        "延びたこと、議会の一般質問への対応が重なったことなどから、本日の送付となりました。以下、課内で話し合った内容を"
        "そのまま書きますので、読みにくい点はご容赦ください。係によって温度差があり、まだ課としての結論ではありません。",
        "なお、この件は三年前にも一度検討しましたが、当時の担当者が異動し、引き継ぎの記録も残っていません。前回の資料は"
        "書庫にあるはずですが、探しきれませんでした。財政課からは、来年度の要求は前年度の額の範囲内でという枠を示されて"
        "おり、補助金や交付金が使えないかも併せて調べているところです。議会には九月の定例会で触れる予定です。関係する課"
        "との調整はこれからで、所管がはっきりしない部分も残っています。次回の打合せは来月の第二週でお願いできますでしょう"
        "か。会議室は仮押さえしております。オンラインでも構いません。様式の四番と五番の欄は、書き方が分からなかったため空欄に"
        "しています。文字数の制限を超えているかもしれませんが、削れるところがあればご指摘ください。課長の決裁はまだですので、"
        "庁外に出すのはお待ちください。人事異動の時期と重なるため、四月以降の連絡先は改めてお知らせします。前任の係長も事情を"
        "知っていますので、必要なら同席を頼みます。取り急ぎご連絡まで。よろしくお願いいたします。",
    ),
    (
        "本市は県のほぼ中央に位置し、平成の大合併により一市三町が一つになって誕生した。面積の多くを山林が占め、市街地は"
        "川沿いの平地に広がる。総合計画では「人が輝き、未来へつなぐまち」を将来像に掲げ、五つの基本目標と二十の施策を"
        "定めている。計画の期間は十年であり、今年度はその中間の見直しに当たる。市民意識調査では、住み続けたいと答えた人が"
        "七割を超えた一方、若い世代の転出が続いている。こうした背景の下、次の事項を重点として取り上げる。",
        "本件は総合計画の基本目標四に位置付けられ、市長の公約にも関わる。進捗は年に二度、庁内の推進本部会議で確認し、"
        "外部の有識者でつくる審議会の意見を聴いた上で、次年度の実施計画に反映する。指標は現状値と目標値を定めるが、数値が"
        "なじまないものは定性的に評価する。財源は一般財源のほか、国の交付金、ふるさと納税による寄附金の活用を見込む。"
        "事業の期間は単年度を基本とし、債務負担行為は設定しない。連携に当たっては協定書を取り交わし、役割の分担、費用の"
        "負担、成果の帰属、秘密の保持を定める。市民への説明は広報紙とホームページで行い、意見募集の手続きを経るものとする。"
        "所管は複数の部にまたがるため、庁内に横断の会議を設け、事務局は企画の担当が務める。会議は四半期に一度開き、議事の概要を"
        "公表する。評価は所管課が自ら行った上で、行政評価の委員が点検する。計画の変更が必要となったときは、議会に報告して行う。",
    ),
)

# Means that few issues ask for, each with what a text would say of it.
_MEANS = (
    "スマートフォンアプリの開発", "AIチャットボットの導入", "ドローンによる空撮と点検",
    "ふるさと納税サイトへの掲載", "移動販売車の巡回", "オンライン診療システムの導入",
    "太陽光パネルと蓄電池の設置", "見守りセンサーの配布", "デジタル地域通貨の発行",
    "予約型の乗り合い交通の運行", "人材派遣による職員の補充", "コンサルタントへの調査委託",
    "衛星データによる土地の解析", "リユース品の買取サービス", "スマートロックによる鍵の管理",
    "動画の制作とSNSでの広報", "海藻や魚の陸上養殖", "古民家の宿泊施設への改修",
)  # fmt: skip

# How a text rules something out.
_REFUSALS = (
    "は求めていない。", "の提案は不要である。", "は想定していません。", "を行う考えはない。",
    "については今回は対象外とする。", "ではない方法を探している。",
)  # fmt: skip

# Another word of the same reading, as a conversion that nobody looked at leaves it.
_HOMOPHONES = dict(
    pair.split("→")
    for pair in (
        "対象→対照 保証→保障 移動→異動 機会→機械 機械→機会 回収→改修 改修→回収 解消→改称 過程→課程 "
        "体制→態勢 以外→意外 効果→高価 運行→運航 観光→慣行 公共→好況 開放→解放 支援→私怨 高齢→恒例 "
        "収集→収拾 制度→精度 事態→自体 施設→私設 健康→兼行 不足→不測 減少→現象 維持→意地 家庭→過程 "
        "医療→衣料 資源→至言 人口→人工 市街→市外 避難→非難 再生→再製 循環→準勘 証明→照明 申請→新生 "
        "整理→生理 電気→伝記 事業→授業 検討→健闘 関心→感心 自身→自信 専用→占用 確信→核心 森林→新林"
    ).split()
)

# Sixty words of as many fields: what a registry's search might be asked for.
WORDS = (
    "空き家 公共交通 見守り 防災 観光 子育て 介護 医療 健康 教育 農業 林業 漁業 鳥獣害 脱炭素 "
    "再生可能エネルギー 太陽光 蓄電池 電気自動車 水道 下水道 道路 橋りょう 除雪 ごみ リサイクル "
    "食品ロス フードバンク 移住 定住 関係人口 ふるさと納税 地域通貨 キャッシュレス 商店街 創業 "
    "雇用 人材 副業 外国人 多文化共生 多言語 障害者 福祉 認知症 部活動 図書館 スポーツ 文化財 "
    "古民家 広報 窓口 DX AI IoT ドローン 衛星 データ分析 マイナンバー オンライン診療"
).split()

ENGLISH = (
    "A global provider of cloud software for local governments and public services.",
    "We build autonomous drones for inspection, delivery and mapping in rural areas.",
    "Renewable energy developer: solar, wind, storage and microgrids for communities.",
    "Telehealth platform connecting patients with doctors, nurses and pharmacists.",
    "Mobility as a service: on-demand buses, ride sharing and electric vehicle fleets.",
    "Consulting for smart cities, digital transformation and citizen engagement.",
    "Education technology company with online tutoring and school management tools.",
    "Food waste marketplace linking farmers, retailers, restaurants and food banks.",
    "Elderly care robotics, fall detection sensors and remote monitoring at home.",
    "Tourism marketing agency for inbound travellers, hotels and local experiences.",
)
EMPTYISH = tuple(
    "－ なし 準備中です。 株式会社です。 未記入 各種事業 詳しくはHPへ 同上 １ 。".split()
)


def draw(*names: str) -> random.Random:
    """Chance that depends on these names alone."""
    return random.Random(hashlib.sha256("\0".join(names).encode()).hexdigest())


def changes() -> dict[str, Change]:
    """Every change of an issue that needs nothing but the issue, by its name."""
    return {
        "title only": lambda one: replace(one, description=""),
        "title, first sentence": first_sentence,
        "rambling, +600 characters": rambling,
        "negated means": negated,
        "typos 1 %": lambda one: _described(one, lambda t: typos(t, 0.01, one.issue_id)),
        "typos 3 %": lambda one: _described(one, lambda t: typos(t, 0.03, one.issue_id)),
        "wrong kanji": lambda one: _described(one, lambda t: wrong_kanji(t, one.issue_id)),
        "half- and full-width": lambda one: _described(one, other_width),
        "no punctuation": lambda one: _described(one, lambda t: re.sub(r"[^\w\n]|_", "", t)),
        "a third in hiragana": lambda one: _described(one, lambda t: in_kana(t, one.issue_id)),
        "です・ます": lambda one: replace(one, description=polite(one.description)),
        "のである": lambda one: replace(one, description=stiff(one.description)),
    }


def _described(issue: Issue, change: Callable[[str], str]) -> Issue:
    return replace(issue, title=change(issue.title), description=change(issue.description))


def first_sentence(issue: Issue) -> Issue:
    """Title and the first sentence of the description."""
    return replace(issue, description=text.sentences(issue.description)[0])


def rambling(issue: Issue) -> Issue:
    """The issue in one of three letters, of about 600 characters that are not of the matter."""
    before, after = draw("rambling", issue.issue_id).choice(_RAMBLING)
    return replace(issue, description=f"{before}\n{issue.description}\n{after}")


def negated(issue: Issue) -> Issue:
    """With a sentence that rules out means of which the issue says nothing."""
    asked = set(text.lemmas(text.normalise(text.issue_text(issue))))
    strange = [means for means in _MEANS if not asked & set(text.lemmas(means))] or list(_MEANS)
    chance = draw("negated", issue.issue_id)
    ruled_out = f"なお、{chance.choice(strange)}{chance.choice(_REFUSALS)}"
    return replace(issue, description=issue.description + ruled_out)


def not_like(issue: Issue, company: Company) -> Issue:
    """With a sentence that rules out what a company does: the first clauses of its profile."""
    said = text.sentences(company.profile)[0].rstrip("。")[:40]
    return replace(
        issue, description=f"{issue.description}なお、「{said}」のような提案は求めていない。"
    )


def joined(issue: Issue, other: Issue) -> Issue:
    """Two problems in one sheet; place and goals of the first."""
    return replace(
        issue,
        title=f"{issue.title}、{other.title}",
        description=f"{issue.description}\nまた、{other.description}",
        sdgs=issue.sdgs | other.sdgs,
    )


def typos(source: str, rate: float, *names: str) -> str:
    """With this share of the letters, one at least, swapped, left out or typed twice."""
    chance = draw("typos", str(rate), *names, source)
    letters = [at for at, char in enumerate(source) if char.isalpha()]
    hit = set(chance.sample(letters, min(len(letters), max(1, round(rate * len(letters))))))
    written: list[str] = []
    for at, char in enumerate(source):
        slip = chance.choice("swap drop twice".split()) if at in hit else ""
        if slip == "swap" and written:
            written.insert(-1, char)
        elif slip != "drop":
            written.append(char * 2 if slip == "twice" else char)
    return "".join(written)


def wrong_kanji(source: str, *names: str) -> str:
    """With half of the words that have a homophone in the table written as that."""
    chance = draw("kanji", *names, source)
    pattern = "|".join(_HOMOPHONES)
    return re.sub(pattern, lambda m: _HOMOPHONES[m[0]] if chance.random() < 0.5 else m[0], source)


@cache
def _narrow() -> Mapping[str, str]:
    """Katakana → half-width katakana, letters and digits → full-width."""
    plain = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF61, 0xFF9E)}
    marked = {
        unicodedata.normalize("NFKC", small + mark): small + mark
        for small in list(plain.values())
        for mark in "ﾞﾟ"
    }
    wide = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F) if chr(code).isalnum()}
    return {char: to for char, to in (marked | plain | wide).items() if len(char) == 1}


def other_width(source: str) -> str:
    """Katakana and Japanese marks half-width, Latin letters and digits full-width."""
    return "".join(_narrow().get(char, char) for char in source)


@cache
def _tagger() -> fugashi.Tagger:
    return fugashi.Tagger()


def in_kana(source: str, *names: str) -> str:
    """With a third of the words that hold kanji in hiragana."""
    chance = draw("kana", *names, source)
    written = ""
    for node in _tagger()(source):
        kana = str(node.feature.kana or "")
        has_kanji, has_reading = (
            re.search("[一-龯]", node.surface),
            re.fullmatch("[ァ-ヴー]+", kana),
        )
        hiragana = "".join(chr(ord(char) - 0x60) if char != "ー" else char for char in kana)
        written += node.white_space
        written += (
            hiragana if has_kanji and has_reading and chance.random() < 1 / 3 else node.surface
        )
    return written


_ENDINGS = dict(zip("くぐすつぬぶむるう", "きぎしちにびみりい", strict=True))


def polite(source: str) -> str:
    """With the last words of every sentence in です・ます."""
    return re.sub(r"[^。\n]+(?=。)", lambda sentence: _polite(sentence[0]), source)


def stiff(source: str) -> str:
    """With のである behind every sentence that ends in a verb or an adjective."""
    return re.sub(r"(?<=[いるうくすたむ])(?<!である)。", "のである。", source)


def _polite(sentence: str) -> str:
    nodes = list(_tagger()(sentence))
    last, before = nodes[-1], nodes[-2] if len(nodes) > 1 else None
    head = sentence[: -len(last.surface)]
    if sentence.endswith("である"):
        return sentence[: -len("である")] + "です"
    is_past = last.feature.cType == "助動詞-タ"
    if is_past and before is not None and before.feature.pos1 != "形容詞":
        if before.feature.orthBase not in ("ない", "たい", "だ"):
            return head[: -len(before.surface)] + _stem(before) + "ました"
    if str(last.feature.cType).startswith("助動詞-ダ"):
        return head + ("でしょう" if last.surface == "だろう" else "です")
    if _is_verb(last):
        return head + _stem(last) + "ます"
    return sentence + "です"


def _is_verb(node: fugashi.UnidicNode) -> bool:
    passive = str(node.feature.cType) in ("助動詞-レル", "助動詞-ラレル", "助動詞-セル")
    return node.feature.pos1 == "動詞" or passive


def _stem(node: fugashi.UnidicNode) -> str:
    """What stands before ます."""
    base, kind = str(node.feature.orthBase), str(node.feature.cType)
    if kind.startswith("サ行変格"):
        return base[:-2] + "し"
    if kind.startswith("カ行変格"):
        return base[:-1] if base.startswith("来") else "き"
    return base[:-1] + _ENDINGS.get(base[-1], "") if kind.startswith("五段") else base[:-1]


# What a profile may try.


def stuffed(company: Company, words: Sequence[str]) -> Company:
    """The company with a list of words behind its profile."""
    return replace(company, profile=f"{company.profile}{'、'.join(words)}")


def stuffed_in_sentences(company: Company, words: Sequence[str]) -> Company:
    """The same with a short sentence for each word, as a page made for search engines has them."""
    ends = ("の相談に応じます。", "を支援します。", "に取り組んでいます。", "にも実績があります。")
    told = "".join(word + ends[at % len(ends)] for at, word in enumerate(words))
    return replace(company, profile=company.profile + told)


def title_words(issues: Sequence[Issue]) -> list[str]:
    """Every different content word of the titles, in their order."""
    titles = [text.normalise(issue.title) for issue in issues]
    found = (title[word.start : word.end] for title in titles for word in text.words(title))
    return list(dict.fromkeys(found))


def goal_names() -> list[str]:
    """The names of the seventeen goals."""
    return [f"{number} {goal.name}" for number, goal in codes.goals().items()]


def newcomer(issue: Issue, profile: str, name: str) -> Company:
    """A company that suits the issue in everything but its profile."""
    return Company(
        company_id=f"attacker-{name}",
        name=f"株式会社{name}",
        profile=profile,
        headquarters=issue.prefecture,
        regions=codes.ALL_PREFECTURES,
        sdgs=issue.sdgs,
    )


def registered_again(company: Company, times: int = 5) -> list[Company]:
    """The same organisation under other ids, each profile with a small change."""
    return [
        replace(company, company_id=f"{company.company_id}-again-{at}", profile=profile)
        for at, profile in enumerate(_slight_changes(company.profile)[:times])
    ]


def _slight_changes(profile: str) -> list[str]:
    sentences = text.sentences(profile)
    return [
        profile + "お気軽にご相談ください。",
        "".join([*sentences[1:], sentences[0]]),
        profile.replace("企業", "会社").replace("提供する", "提供している"),
        "".join(sentences[:-1] or sentences) + "詳しくはお問い合わせを。",
        typos(profile, 0.01, "again"),
    ]
