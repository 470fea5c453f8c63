package curve

import (
	"math"
	"strings"
	"testing"
	"time"
)

var midnight = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

func mustParse(t testing.TB, text string) Curve {
	t.Helper()
	c, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCurvesAreWhatTheirTextsSay(t *testing.T) {
	tests := []struct {
		text  string
		after time.Duration // midnight
		want  float64
	}{
		{"250m", time.Hour, 0.25},
		{"300Mi", 0, 300 << 20},
		{"80%", 0, 0.8},
		{"sine(100m..400m, 10m)", 0, 0.1},
		{"sine(100m..400m, 10m)", 150 * time.Second, 0.25},
		{"sine(100m..400m, 10m)", 5 * time.Minute, 0.4},
		{"sine(100m..400m, 24h)", 12 * time.Hour, 0.4},
		{"sine(100m..400m, 10m, 2m)", 7 * time.Minute, 0.4},
		{"sine(50%..100%, 10m)", 5 * time.Minute, 1},
		{"sine(1..1, 10m)", time.Minute, 1},
		{"steps(100m for 5m, 400m for 1m)", 0, 0.1},
		{"steps(100m for 5m, 400m for 1m)", 5 * time.Minute, 0.4},
		{"steps(100m for 5m, 400m for 1m)", 6 * time.Minute, 0.1},
		{" steps( 10% for 1m , 20% for 1m ) ", time.Minute, 0.2},
	}
	for _, test := range tests {
		if got := mustParse(t, test.text).At(midnight.Add(test.after)); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s after %v: got %v, want %v", test.text, test.after, got, test.want)
		}
	}
}

func TestBadTextsAreToldInASentence(t *testing.T) {
	for text, want := range map[string]string{
		"":                            `"" is neither a quantity`,
		"much":                        `"much" is neither a quantity like 250m nor a share like 80%`,
		"-1":                          `"-1" is neither`,
		"nan%":                        `"nan%" is neither`,
		"1e30":                        `"1e30" is neither`,
		"cosine(1..2, 1m)":            `there is no curve "cosine", only sine, steps and noise`,
		"sine(1..2, 1m":               `has no closing bracket`,
		"sine(1..2)":                  `sine has a range, a period`,
		"sine(1, 1m)":                 `"1" is no range like 100m..400m`,
		"sine(2..1, 1m)":              `2..1 goes down: the smaller amount comes first`,
		"sine(1..50%, 1m)":            `1..50% is half a share and half a quantity`,
		"sine(1..2, 10)":              `"10" is no time like 10m`,
		"sine(1..2, 1ms)":             `"1ms" is no time like 10m`,
		"sine(1..2, 1m, x)":           `"x" is no time like 2m`,
		"steps(100m)":                 `"100m" is no step like 100m for 5m`,
		"steps(1 for 1m, 50% for 1m)": `some steps are shares`,
		"noise(1..2, 1m, x)":          `"x" is no whole number`,
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// The sum is what adding up small pieces of the curve comes to, from any time to any other, bounded or not.
func TestSumsAreExact(t *testing.T) {
	for _, text := range []string{"250m", "sine(100m..400m, 10m)", "sine(0..2, 7m, 90s)", "steps(100m for 5m, 1 for 1m, 0 for 30s)",
		"noise(100m..900m, 10s)"} {
		for _, c := range []Curve{mustParse(t, text), mustParse(t, text).Scale(3), mustParse(t, text).Within(0.2, 0.3),
			mustParse(t, text).Within(0.15, math.Inf(1)), mustParse(t, text).Scale(2).Within(0, 0.35), mustParse(t, text).Within(5, 6)} {
			from := midnight.Add(123 * time.Second)
			sum, above := 0.0, 0.0
			const piece = 10 * time.Millisecond
			at := from
			for range 20 * 60 * 100 {
				v := c.At(at.Add(piece / 2))
				sum += v * piece.Seconds()
				if v > 0.28 {
					above += piece.Seconds()
				}
				at = at.Add(piece)
			}
			if got := c.Sum(from, at); math.Abs(got-sum) > 0.02 {
				t.Errorf("%s %+v: sum %v, pieces come to %v", text, c, got, sum)
			}
			if got := c.Above(0.28, from, at); math.Abs(got-above) > 0.2 {
				t.Errorf("%s %+v: above for %v s, pieces come to %v", text, c, got, above)
			}
		}
	}
}

func TestSumsGrowAndAgree(t *testing.T) {
	for _, text := range []string{"sine(0..2, 24h)", "steps(0 for 1h, 1 for 1m)", "noise(0..1, 10s)"} {
		c := mustParse(t, text).Within(0, 0.9)
		start, last := midnight.Add(-100*24*time.Hour), 0.0
		for i := range 2000 {
			now := midnight.Add(time.Duration(i) * 1500 * time.Millisecond)
			sum := c.Sum(start, now)
			if math.Floor(sum*1e9) < math.Floor(last*1e9) {
				t.Fatalf("%s fell at %v: %v after %v", text, now, sum, last)
			}
			if parts := c.Sum(start, midnight) + c.Sum(midnight, now); math.Abs(parts-sum) > 1e-6 {
				t.Fatalf("%s at %v: %v, its parts %v", text, now, sum, parts)
			}
			last = sum
		}
	}
}

func TestNoiseIsOfSomebodyAndStaysInItsRange(t *testing.T) {
	c := mustParse(t, "noise(1..2, 10s)")
	mine, again, others, other := c.Of("a/web"), c.Of("a/web"), c.Of("a/db"), mustParse(t, "noise(1..2, 10s, 7)").Of("a/web")
	same, sum := 0, 0.0
	for i := range noiseSteps {
		at := midnight.Add(time.Duration(i) * 10 * time.Second)
		v := mine.At(at)
		if v != again.At(at) || v < 1 || v > 2 || v != mine.At(at.Add(9*time.Second)) {
			t.Fatalf("at %v: %v", at, v)
		}
		if v == others.At(at) || v == other.At(at) {
			same++
		}
		sum += v
	}
	if same > 0 || math.Abs(sum/noiseSteps-1.5) > 0.1 {
		t.Errorf("%d are the same; the middle is %v", same, sum/noiseSteps)
	}
}

func BenchmarkSum(b *testing.B) {
	for _, text := range []string{"250m", "sine(100m..400m, 10m)", "noise(100m..400m, 10s)"} {
		b.Run(text, func(b *testing.B) {
			for b.Loop() {
				mustParse(b, text).Within(0, 0.3).Sum(midnight, midnight.Add(1000*time.Hour))
			}
		})
	}
}
