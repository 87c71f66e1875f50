"""Which countries' rows to read beside those of a country: its neighbours.

Whoever shares cables, caches and servers with a country sees the same outages, and everybody sees
it when a test breaks. Where few people measure in the neighbourhood, countries stand in with many
volunteers and few blocks.
"""

_MOST = 4
"""Countries read beside one: their rows cost OONI as much as its own."""
_MANY_VOLUNTEERS = ("DE", "BR", "MY", "ZA", "US")
_NEARBY = """
AF PK TJ UZ IR | AL IT GR MK RS | AM GE AZ TR | AO CD ZM NA | AR CL UY BR PY | AZ GE TR AM RU
BA HR RS ME | BD IN MM NP | BF GH CI ML NE | BG RO GR RS TR | BH SA QA AE | BI RW TZ CD
BJ NG TG NE | BN MY ID | BO PE BR AR | BR AR CO UY PY | BT IN BD | BW ZA ZW NA | BY PL LT UA RU
CD UG RW ZM CG | CF CM TD CD | CG CD CM GA | CI GH BF ML | CL AR PE BO | CM NG TD GA
CN HK TW VN IN | CO EC VE PE PA | CR PA NI | CU US MX DO | CY GR TR LB | CZ DE PL AT SK
DJ ET SO ER | DO US CU HT | DZ TN MA LY | EC CO PE | EE FI LV RU | EG SD LY JO SA | ER ET SD DJ
ET KE SD SO DJ | GA CM CG GQ | GE TR AM AZ RU | GH CI TG BF NG | GM SN | GN SN CI ML SL | GQ CM GA
GR IT BG TR AL | GT MX SV HN | GW SN GN | HK TW CN SG | HN GT SV NI | HR SI HU RS BA | HT DO US
HU AT SK RO RS | ID MY SG TH PH | IL JO EG CY | IN BD LK NP PK | IQ TR JO IR KW | IR TR IQ PK AE
JO IL SA IQ EG | KE UG TZ ET SO | KG KZ UZ TJ | KH TH VN LA | KR JP TW | KW SA IQ AE | KZ KG UZ RU
LA TH VN KH | LB CY JO SY | LK IN MY | LR CI SL GN | LS ZA | LT LV PL BY | LV LT EE RU
LY TN EG DZ | MA ES DZ | MD RO UA | ME RS BA AL | MG MU MZ ZA | MK RS GR AL BG | ML SN CI BF NE
MM TH BD IN LA | MN KZ RU CN | MR SN ML MA | MU MG ZA | MV LK IN | MW TZ ZM MZ | MX US GT
MY SG TH ID | MZ ZA TZ ZW MW | NA ZA BW AO | NE NG BJ BF DZ | NG GH CM BJ NE | NI CR HN SV
NP IN BD | OM AE SA YE | PA CR CO | PE EC CO CL BO | PG AU ID | PH MY ID TW VN | PK IN AE AF IR
PL DE CZ LT UA | PS IL JO EG | PY AR BR BO | QA SA AE BH | RO BG HU MD UA | RS HR BG HU MK
RU KZ FI UA GE | RW UG TZ BI KE | SA AE JO KW EG | SD EG ET SS TD | SG MY ID TH | SI HR AT IT
SK CZ PL HU | SL GN LR | SN GM ML GN MR | SO KE ET DJ | SS UG KE SD ET | SV GT HN NI
SY LB JO TR IQ | SZ ZA MZ | TD CM NE SD NG | TG GH BJ BF | TH MY KH LA VN | TJ KG UZ KZ | TL ID AU
TM UZ KZ IR | TN DZ IT LY | TR GR GE BG IQ | TW JP HK PH KR | TZ KE UG ZM MZ | UA PL RO MD
UG KE TZ RW CD | UY AR BR | UZ KZ KG TJ | VE CO BR TT | VN TH MY KH PH | XK AL RS MK | YE SA OM DJ
ZM ZW TZ MW BW | ZW ZA ZM BW MZ
"""
"""A country and those to read beside it, those with more volunteers first, between bars."""
_TABLE = {
    codes[0]: tuple(codes[1:])
    for line in _NEARBY.strip().splitlines()
    for codes in (part.split() for part in line.split("|"))
}


def neighbours(country: str) -> tuple[str, ...]:
    """The countries to read beside one, at least two; never itself."""
    near = _TABLE.get(country, ())
    filled = near if len(near) > 1 else (*near, *_MANY_VOLUNTEERS)
    return tuple(one for one in dict.fromkeys(filled) if one != country)[:_MOST]
