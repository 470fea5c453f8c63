package iam

import "testing"

func TestWhatCannotBeNamedIsDeniedUnlessAllIsAllowed(t *testing.T) {
	const all = `{"Effect":"Allow","Action":"*","Resource":"*"},`
	keys := Keys{"aws:sourceip": {"127.0.0.1"}}
	// of sqs:DeleteQueue on an unknown resource, and of an unknown action of sqs
	for statements, want := range map[string][2]Decision{
		all[:len(all)-1]: {Allowed, Allowed},
		`{"Effect":"Allow","Action":"sqs:*","Resource":"*"}`:                                    {Allowed, Allowed},
		`{"Effect":"Allow","Action":"SQS:**","Resource":"*"}`:                                   {Allowed, Allowed},
		`{"Effect":"Allow","Action":"s?s:*","Resource":"*"}`:                                    {Allowed, Allowed},
		`{"Effect":"Allow","Action":"sqs:PassOn","Resource":"*"}`:                               {ImplicitDeny, Allowed},
		`{"Effect":"Allow","Action":"sqs:P*","Resource":"*"}`:                                   {ImplicitDeny, ImplicitDeny},
		`{"Effect":"Allow","Action":"sqs:D*","Resource":"*"}`:                                   {Allowed, ImplicitDeny},
		`{"Effect":"Allow","Action":"sqs:*","Resource":"arn:aws:sqs:us-east-1:111122223333:q"}`: {ImplicitDeny, ImplicitDeny},
		`{"Effect":"Allow","Action":"sns:*","Resource":"*"}`:                                    {ImplicitDeny, ImplicitDeny},
		`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`:                                 {Allowed, Allowed},
		`{"Effect":"Allow","NotAction":["iam:*","sqs:Purge*"],"Resource":"*"}`:                  {Allowed, ImplicitDeny},
		`{"Effect":"Allow","Action":"*","Resource":"*",` +
			`"Condition":{"StringEquals":{"sqs:x":"y"}}}`: {ImplicitDeny, ImplicitDeny},
		all + `{"Effect":"Deny","Action":"sqs:DeleteQueue","Resource":"*"}`: {ExplicitDeny, ExplicitDeny},
		all + `{"Effect":"Deny","Action":"sqs:DeleteQueue",` +
			`"Resource":"arn:aws:sqs:us-east-1:111122223333:prod"}`: {ExplicitDeny, ExplicitDeny},
		all + `{"Effect":"Deny","Action":"sqs:PurgeQueue","Resource":"*"}`:     {Allowed, ExplicitDeny},
		all + `{"Effect":"Deny","Action":"sns:*","Resource":"*"}`:              {Allowed, Allowed},
		all + `{"Effect":"Deny","NotAction":"sqs:*","Resource":"*"}`:           {Allowed, Allowed},
		all + `{"Effect":"Deny","NotAction":"sqs:List*","Resource":"*"}`:       {ExplicitDeny, ExplicitDeny},
		all + `{"Effect":"Deny","NotAction":"sqs:DeleteQueue","Resource":"*"}`: {Allowed, ExplicitDeny},
		all + `{"Effect":"Deny","Action":"sqs:*",` +
			`"NotResource":"arn:aws:sqs:us-east-1:111122223333:mine"}`: {ExplicitDeny, ExplicitDeny},
		all + `{"Effect":"Deny","Action":"sqs:*","NotResource":"*"}`: {Allowed, Allowed},
		all + `{"Effect":"Deny","Action":"sqs:*","Resource":"*",` +
			`"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`: {Allowed, Allowed},
		all + `{"Effect":"Deny","Action":"sqs:*","Resource":"*",` +
			`"Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`: {ExplicitDeny, ExplicitDeny},
		all + `{"Effect":"Deny","Action":"sqs:*","Resource":"*",` +
			`"Condition":{"StringEquals":{"aws:ResourceTag/env":"prod"}}}`: {ExplicitDeny, ExplicitDeny},
		all + `{"Effect":"Deny","Action":"sqs:*","Resource":"*","Condition":{"StringEquals":{"sqs:x":"y"},` +
			`"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`: {Allowed, Allowed},
		all + `{"Effect":"Deny","Action":"sqs:*","Resource":"*",` +
			`"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}}`: {Allowed, Allowed},
	} {
		text := `{"Version":"2012-10-17","Statement":[` + statements + `]}`
		p := Principal{ARN: "arn:aws:iam::111122223333:user/ada", AccountID: "111122223333", AccessKeyID: "AKIA",
			Documents: []string{text}}
		for i, action := range []string{"DeleteQueue", ""} {
			if got, reason := p.EvaluateUnnamed("sqs", action, "PassOn", keys); got != want[i] ||
				(got == Allowed) != (reason == "") {
				t.Errorf("%s: action %q: got %d (%s), want %d", statements, action, got, reason, want[i])
			}
		}
		// A policy that narrows counts the same way.
		narrowed := p
		narrowed.Documents, narrowed.Boundary = []string{`{"Version":"2012-10-17","Statement":` + all[:len(all)-1] + `}`},
			&text
		for i, action := range []string{"DeleteQueue", ""} {
			if got, _ := narrowed.EvaluateUnnamed("sqs", action, "PassOn", keys); got != want[i] {
				t.Errorf("%s as a boundary: action %q: got %d, want %d", statements, action, got, want[i])
			}
		}
	}
	for statements, want := range map[string]Decision{
		all[:len(all)-1]: Allowed,
		`{"Effect":"Allow","Action":"sqs:*","Resource":"*"}`:          ImplicitDeny,
		`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`:       ImplicitDeny,
		all + `{"Effect":"Deny","Action":"sns:List*","Resource":"x"}`: ExplicitDeny,
		all + `{"Effect":"Deny","NotAction":"*","Resource":"*"}`:      Allowed,
	} {
		p := Principal{ARN: "arn:aws:iam::111122223333:user/ada", AccountID: "111122223333",
			Documents: []string{`{"Version":"2012-10-17","Statement":[` + statements + `]}`}}
		if got, reason := p.EvaluateUnnamed(AnyService, "DeleteQueue", "PassOn", keys); got != want {
			t.Errorf("%s: any service: got %d (%s), want %d", statements, got, reason, want)
		}
	}
}
