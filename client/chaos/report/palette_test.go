package report

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestTextIsReadableInLightAndDark holds each colour of text against each that it is written on: WCAG 2.2 asks for a contrast
// of 4.5 (success criterion 1.4.3), and for 3 of what is drawn (1.4.11).
func TestTextIsReadableInLightAndDark(t *testing.T) {
	palettes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(pageSource, -1)
	if len(palettes) != 3 {
		t.Fatalf("got %d palettes, want those of light, dark and print", len(palettes))
	}
	for i, name := range []string{"light", "dark", "print"} {
		colours := map[string]string{}
		for _, found := range regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(palettes[i][1], -1) {
			colours[found[1]] = found[2]
		}
		hold := func(text, least string, grounds ...string) {
			floor, err := strconv.ParseFloat(least, 64)
			if err != nil {
				t.Fatal(err)
			}
			for _, ground := range grounds {
				if got := contrast(t, colours[text], colours[ground]); got < floor {
					t.Errorf("%s: %s on %s has a contrast of %.2f, want %s", name, text, ground, got, least)
				}
			}
		}
		hold("text", "4.5", "page", "sheet", "method", "recovery", "fault", "good-bg", "bad-bg", "odd-bg")
		hold("soft", "4.5", "page", "sheet", "method", "recovery")
		hold("link", "4.5", "page", "sheet")
		hold("good", "4.5", "good-bg")
		hold("bad", "4.5", "sheet", "method", "recovery", "bad-bg")
		hold("odd", "4.5", "odd-bg")
		hold("letter", "4.5", "za", "zb", "zc", "zd", "ze", "zf")
		for _, drawn := range strings.Fields("ok failed p50 census fault-edge za zb zc zd ze zf") {
			hold(drawn, "3", "sheet", "method", "recovery")
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	light, dark := luminance(t, a), luminance(t, b)
	return (max(light, dark) + 0.05) / (min(light, dark) + 0.05)
}

// luminance is WCAG's relative luminance of #rrggbb.
func luminance(t *testing.T, colour string) (sum float64) {
	t.Helper()
	rgb, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
	if err != nil {
		t.Fatalf("%q is no colour of the palette: %v", colour, err)
	}
	for i, weight := range []float64{0.0722, 0.7152, 0.2126} {
		part := float64(rgb>>(8*i)&0xff) / 255
		if part <= 0.04045 {
			part /= 12.92
		} else {
			part = math.Pow((part+0.055)/1.055, 2.4)
		}
		sum += weight * part
	}
	return sum
}
