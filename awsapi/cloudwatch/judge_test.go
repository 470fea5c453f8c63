package cloudwatch

import (
	"strings"
	"testing"
	"time"
)

// TestMissingDataCountAsTheGuideSays: "Configuring how CloudWatch alarms treat missing data" has these rows. X is beyond the
// threshold, 0 is not, and - is missing; the last is the newest.
func TestMissingDataCountAsTheGuideSays(t *testing.T) {
	for _, c := range []struct {
		row                                   string
		periods, breaching                    int
		missing, ignore, breach, notBreaching string
	}{
		{"0 - X - X", 3, 3, "OK", "OK", "OK", "OK"},
		{"0 - - - -", 3, 3, "OK", "OK", "OK", "OK"},
		{"- - - - -", 3, 3, "INSUFFICIENT_DATA", "", "ALARM", "OK"},
		{"0 X X - X", 3, 3, "ALARM", "ALARM", "ALARM", "ALARM"},
		{"- - X - -", 3, 3, "ALARM", "", "ALARM", "OK"},
		{"- - - - X", 3, 3, "", "", "ALARM", "OK"},
		{"0 - X - X", 3, 2, "ALARM", "ALARM", "ALARM", "ALARM"},
		{"0 0 X 0 X", 3, 2, "ALARM", "ALARM", "ALARM", "ALARM"},
		{"0 - X - -", 3, 2, "OK", "OK", "ALARM", "OK"},
		{"- - - - 0", 3, 2, "OK", "OK", "ALARM", "OK"},
		{"- - - X -", 3, 2, "ALARM", "", "ALARM", "OK"},
	} {
		var found []datapoint
		cells := strings.Fields(c.row)
		for back := range cells {
			switch cells[len(cells)-1-back] {
			case "X":
				found = append(found, datapoint{value: 2, back: back})
			case "0":
				found = append(found, datapoint{value: 0, back: back})
			}
		}
		for treat, want := range map[string]string{"": c.missing, "missing": c.missing, "ignore": c.ignore, "breaching": c.breach,
			"notBreaching": c.notBreaching} {
			cr := criterion{periods: c.periods, breaching: c.breaching, period: 60, threshold: 1, comparison: "GreaterThanThreshold",
				treatMissing: treat}
			if got := cr.judge(found, time.Now()).state; got != want {
				t.Errorf("%d of %d, %q with %q is %q, want %q", c.breaching, c.periods, c.row, treat, got, want)
			}
		}
	}
}

// TestReasonsAreInCloudWatchsWords.
func TestReasonsAreInCloudWatchsWords(t *testing.T) {
	at := time.Date(2026, 11, 30, 5, 0, 0, 0, time.UTC)
	c := criterion{periods: 3, breaching: 2, period: 60, threshold: 1e7, comparison: "LessThanOrEqualToThreshold",
		treatMissing: "notBreaching", statistic: "Average"}
	points := []datapoint{{at.Unix(), 5, 1, 0}, {at.Unix() - 60, 0.25, 1, 1}, {at.Unix() - 120, 2e7, 1, 2}}
	v := c.judge(points, at)
	if want := "Threshold Crossed: 2 out of the last 3 datapoints [5.0 (30/11/26 05:00:00), 0.25 (30/11/26 04:59:00)] were less than or " +
		"equal to the threshold (1.0E7) (minimum 2 datapoints for OK -> ALARM transition)."; v.reason != want {
		t.Errorf("got %s", v.reason)
	}
	if !strings.Contains(v.data, `"recentDatapoints":[20000000,0.25,5]`) ||
		!strings.Contains(v.data, `"startDate":"2026-11-30T04:58:00.000+0000"`) {
		t.Errorf("got %s", v.data)
	}
	if got := c.judge(nil, at).reason; got != "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were "+
		"treated as [NonBreaching]." {
		t.Errorf("got %s", got)
	}
}
