package pressure

import "testing"

func TestPressureOfTheLastTenSecondsIsRead(t *testing.T) {
	const text = "some avg10=54.73 avg60=56.21 avg300=40.31 total=212324395\nfull avg10=1.00 avg60=0.00 " +
		"avg300=0.00 total=0\n"
	if got := parse(text); got != 54.73 {
		t.Errorf("got %v", got)
	}
	for _, strange := range []string{"", "full avg10=1.00", "some", "some avg10=x"} {
		if got := parse(strange); got != -1 {
			t.Errorf("%q gives %v", strange, got)
		}
	}
}

func TestOnlyHighPressureIsNamed(t *testing.T) {
	if got, want := (Pressure{Processor: 90.6, Disk: 12, Memory: -1}).String(), "processor pressure 90 %"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (Pressure{Processor: 50, Disk: 60}).String(),
		"processor pressure 50 %, disk pressure 60 %"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (Pressure{-1, -1, -1}).String(); got != "" {
		t.Errorf("got %q", got)
	}
}
