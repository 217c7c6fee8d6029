package reader

import (
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// glyphText is the text of a glyph by its name in the Adobe Glyph List
// (https://github.com/adobe-type-tools/agl-specification), as far as Latin
// documents need it; "" if unknown.
func glyphText(name string) string {
	name, _, _ = strings.Cut(name, ".")
	if len(name) == 1 {
		return name
	}
	if s, ok := glyphNames[name]; ok {
		return s
	}
	for suffix, mark := range accents {
		if letter, ok := strings.CutSuffix(name, suffix); ok {
			if letter == "dotless" || letter == "dotlessi" {
				letter = "i"
			}
			if len(letter) == 1 {
				return norm.NFC.String(letter + mark)
			}
		}
	}
	for _, prefix := range []string{"uni", "u"} {
		if digits, ok := strings.CutPrefix(name, prefix); ok && len(digits) >= 4 && len(digits) <= 6 {
			if v, err := strconv.ParseUint(digits, 16, 32); err == nil && v <= 0x10ffff {
				return string(rune(v))
			}
		}
	}
	return ""
}

// accents are the endings of names such as eacute, as combining marks.
var accents = map[string]string{
	"acute": "\u0301", "grave": "\u0300", "circumflex": "\u0302", "dieresis": "\u0308", "tilde": "\u0303",
	"ring": "\u030a", "caron": "\u030c", "cedilla": "\u0327", "macron": "\u0304", "breve": "\u0306",
	"ogonek": "\u0328", "dotaccent": "\u0307", "hungarumlaut": "\u030b", "commaaccent": "\u0326",
}

// glyphNames are the names that are not made of a letter and an accent.
var glyphNames = map[string]string{
	"space": " ", "nbspace": " ", "exclam": "!", "quotedbl": `"`, "numbersign": "#", "dollar": "$", "percent": "%",
	"ampersand": "&", "quotesingle": "'", "parenleft": "(", "parenright": ")", "asterisk": "*", "plus": "+",
	"comma": ",", "hyphen": "-", "sfthyphen": "-", "minus": "−", "period": ".", "slash": "/", "zero": "0", "one": "1",
	"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
	"colon": ":", "semicolon": ";", "less": "<", "equal": "=", "greater": ">", "question": "?", "at": "@",
	"bracketleft": "[", "backslash": `\`, "bracketright": "]", "asciicircum": "^", "underscore": "_",
	"braceleft": "{", "bar": "|", "braceright": "}", "asciitilde": "~", "quoteleft": "‘", "quoteright": "’",
	"quotedblleft": "“", "quotedblright": "”", "quotesinglbase": "‚", "quotedblbase": "„", "guillemotleft": "«",
	"guillemotright": "»", "guilsinglleft": "‹", "guilsinglright": "›", "endash": "–", "emdash": "—",
	"bullet": "•", "ellipsis": "…", "dagger": "†", "daggerdbl": "‡", "section": "§", "paragraph": "¶",
	"copyright": "©", "registered": "®", "trademark": "™", "degree": "°", "plusminus": "±", "multiply": "×",
	"divide": "÷", "fraction": "⁄", "onehalf": "½", "onequarter": "¼", "threequarters": "¾", "mu": "µ",
	"cent": "¢", "sterling": "£", "yen": "¥", "Euro": "€", "currency": "¤", "florin": "ƒ", "exclamdown": "¡",
	"questiondown": "¿", "periodcentered": "·", "ordfeminine": "ª", "ordmasculine": "º", "germandbls": "ß",
	"ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "oslash": "ø", "Oslash": "Ø", "lslash": "ł", "Lslash": "Ł",
	"eth": "ð", "Eth": "Ð", "thorn": "þ", "Thorn": "Þ", "dcroat": "đ", "Dcroat": "Đ", "dotlessi": "ı",
	"fi": "fi", "fl": "fl", "ff": "ff", "ffi": "ffi", "ffl": "ffl", "onesuperior": "¹", "twosuperior": "²",
	"threesuperior": "³", "brokenbar": "¦", "logicalnot": "¬", "checkmark": "✓", "perthousand": "‰",
}
