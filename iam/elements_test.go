package iam

import "testing"

const testAccount = "111122223333"

// TestNotPrincipalSparesOnlyWhomItListsThemselves is AWS's own example of NotPrincipal, and what must not come of it:
// the account has to be listed, and is no word for all who are in it.
func TestNotPrincipalSparesOnlyWhomItListsThemselves(t *testing.T) {
	const (
		root    = "arn:aws:iam::" + testAccount + ":root"
		ann     = "arn:aws:iam::" + testAccount + ":user/ann"
		role    = "arn:aws:iam::" + testAccount + ":role/r"
		session = "arn:aws:sts::" + testAccount + ":assumed-role/r/s"
	)
	user := func(name string) Principal {
		return Principal{ARN: "arn:aws:iam::" + testAccount + ":user/" + name, UserID: "AIDA" + name, AccountID: testAccount}
	}
	of := func(name string) Principal {
		return Principal{ARN: "arn:aws:sts::" + testAccount + ":assumed-role/r/" + name, UserID: "AROAR:" + name,
			AccountID: testAccount, IssuerARN: role, IssuerID: "AROAR"}
	}
	everybody := map[string]Principal{
		"ann": user("ann"), "bob": user("bob"), "session s": of("s"), "session t": of("t"),
		"root": rootPrincipal(testAccount, ""),
		"federated ann": {ARN: "arn:aws:sts::" + testAccount + ":federated-user/ann", UserID: testAccount + ":ann",
			AccountID: testAccount},
	}
	for list, spared := range map[string][]string{
		`"` + root + `"`:                                  {"root"},
		`"` + testAccount + `"`:                           {"root"},
		`"` + root + `","` + ann + `"`:                    {"root", "ann"},
		`"` + testAccount + `","AIDAann"`:                 {"root", "ann"},
		`"` + ann + `"`:                                   nil, // AWS looks at the account first
		`"` + root + `","` + role + `"`:                   {"root"},
		`"` + root + `","` + session + `"`:                {"root"},
		`"` + role + `","` + session + `"`:                nil,
		`"` + root + `","AROAR","AROAR:s"`:                {"root", "session s"},
		`"` + root + `","` + role + `","` + session + `"`: {"root", "session s"},
		`"*"`: {"root", "ann", "bob", "session s", "session t", "federated ann"},
		`"` + root + `","arn:aws:sts::` + testAccount + `:federated-user/ann"`: {"root", "federated ann"},
	} {
		d, err := ParseTrust(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"},
			{"Effect":"Deny","NotPrincipal":{"AWS":[` + list + `]},"Action":"sts:AssumeRole"}]}`)
		if err != nil {
			t.Fatal(err)
		}
		may := map[string]bool{}
		for _, name := range spared {
			may[name] = true
		}
		for name, p := range everybody {
			if got, reason := p.MayAssume("sts:AssumeRole", role, d, nil); got != may[name] || !got &&
				reason != "with an explicit deny in a resource-based policy" {
				t.Errorf("NotPrincipal [%s], %s: got %v %q, want %v", list, name, got, reason, may[name])
			}
		}
	}
}
