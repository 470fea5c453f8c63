package ports

import "testing"

func TestRangesAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]string{"8000-8999,9090": "8000-8999,9090", " 1 , 65535 ": "1,65535", "5-5": "5",
		"80-443": "80-443",
		"":       "!", "0": "!", "65536": "!", "9-8": "!", "a": "!", "1-": "!", "-1": "!", "1-2-3": "!", "80,": "!"} {
		got, err := Parse(text)
		if want == "!" {
			if err == nil {
				t.Errorf("%q: got %s, want an error", text, got)
			}
			continue
		}
		if err != nil || got.String() != want {
			t.Errorf("%q: got %s (%v), want %s", text, got, err, want)
		}
	}
	ranges, err := Parse("8000-8999,9090")
	if err != nil {
		t.Fatal(err)
	}
	for port, want := range map[int]bool{7999: false, 8000: true, 8999: true, 9000: false, 9090: true, 0: false} {
		if got := ranges.Contain(port); got != want {
			t.Errorf("%d: got %t", port, got)
		}
	}
}
