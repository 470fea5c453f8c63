package quota

import (
	"maps"
	"strings"
	"testing"
)

func TestQuotasAreAWSsUnlessSet(t *testing.T) {
	for _, one := range []struct {
		quotas Quotas
		want   int
	}{{nil, 5000}, {Quotas{Roles: 7}, 5000}, {Quotas{Users: 0}, 0}, {Quotas{Users: 20000}, 20000}} {
		if got := one.quotas.Of(Users); got != one.want {
			t.Errorf("%v: got %d users, want %d", one.quotas, got, one.want)
		}
	}
}

func TestQuotasAreReadAsTheyAreTyped(t *testing.T) {
	got, err := Parse([]string{"users=20000", "access-entries=0", "users=3"})
	if err != nil || !maps.Equal(got, Quotas{Users: 3, AccessEntries: 0}) {
		t.Errorf("got %v (%v)", got, err)
	}
	for text, want := range map[string]string{
		"user=1":   `there is no quota "user": use one of access-entries, groups, `,
		"":         "there is no quota",
		"users":    `the quota "users" is not a number: write it as users=5000`,
		"users=-1": "is not a number",
		"users=1k": "is not a number",
	} {
		if _, err := Parse([]string{text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
