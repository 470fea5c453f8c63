package iam

import (
	"context"
	"testing"

	"tripod/region"
	"tripod/state"
)

// TestPolicyMeansWhomItNamedWhenItWasStored deletes those whom a policy names, and makes others under their names.
func TestPolicyMeansWhomItNamedWhenItWasStored(t *testing.T) {
	const arns = "arn:aws:iam::" + testAccount
	user := func(id, name string) region.User { return region.User{Name: name, ID: id, ARN: arns + ":user/" + name} }
	role := region.Role{Name: "r", ID: "AROAR1", ARN: arns + ":role/team/r"}
	m := region.NewMemory(func(tx *state.Txn) {
		region.Users.Put(tx, "ann", user("AIDAANN1", "ann"))
		region.Users.Put(tx, "bob", user("AIDABOB1", "bob"))
		region.Roles.Put(tx, "r", role)
	})
	const text = `{"Version":"2012-10-17", "Statement": [
		{"Effect":"Allow","Principal":{"AWS":["` + arns + `:user/ann", "` + arns + `:root"]},"Action":"sts:AssumeRole","Condition":{"StringNotEquals":{"aws:PrincipalArn":"` + arns + `:user/ann"}}},
		{"Effect":"Allow","Principal":{"AWS":"` + arns + `:role/team/r","Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"},
		{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:sts::` + testAccount + `:assumed-role/r/s","AIDABOB1","999999999999"]},"Action":"sts:AssumeRole"}]}`
	d, err := ParseTrust(text)
	if err != nil {
		t.Fatal(err)
	}
	var bound Bindings
	show := func(want string) {
		t.Helper()
		_ = m.View(func(tx *state.Txn) error {
			if got := bound.Shown(tx, text); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			return nil
		})
	}
	change := func(edit func(tx *state.Txn)) {
		_ = m.Update(context.Background(), func(tx *state.Txn) error { edit(tx); return nil })
	}
	_ = m.View(func(tx *state.Txn) error {
		var unknown []string
		if bound, unknown = Bind(tx, testAccount, d); len(bound) != 4 || len(unknown) > 0 {
			t.Errorf("got %q, unknown %q", bound, unknown)
		}
		return nil
	})
	shown := replaceElements(text, map[string]string{"AIDABOB1": arns + ":user/bob"})
	show(shown)
	change(func(tx *state.Txn) {
		region.Users.Delete(tx, "ann")
		region.Users.Put(tx, "ann", user("AIDAANN2", "ann"))
		renamed := user("AIDABOB1", "bert")
		region.Users.Delete(tx, "bob")
		region.Users.Put(tx, "bert", renamed)
		role.ID = "AROAR2"
		region.Roles.Put(tx, "r", role)
	})
	show(`{"Version":"2012-10-17", "Statement": [
		{"Effect":"Allow","Principal":{"AWS":["AIDAANN1", "` + arns + `:root"]},"Action":"sts:AssumeRole","Condition":{"StringNotEquals":{"aws:PrincipalArn":"` + arns + `:user/ann"}}},
		{"Effect":"Allow","Principal":{"AWS":"AROAR1","Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"},
		{"Effect":"Deny","NotPrincipal":{"AWS":["AROAR1:s","` + arns + `:user/bert","999999999999"]},"Action":"sts:AssumeRole"}]}`)
	first := bound.With(d).Statements
	if got := []string{first[0].Principals["AWS"][0], first[1].Principals["AWS"][0],
		first[2].NotPrincipals["AWS"][0]}; got[0] != "AIDAANN1" || got[1] != "AROAR1" || got[2] != "AROAR1:s" {
		t.Errorf("got %q", got)
	}
	if d.Statements[0].Principals["AWS"][0] != arns+":user/ann" {
		t.Error("the document itself was changed")
	}
	_ = m.View(func(tx *state.Txn) error {
		for element, want := range map[string]bool{
			"*": true, testAccount: true, "11112222333": false, "ann": false, arns + ":user/none": false,
			arns + ":user/*": false, arns + ":group/g": false,
			arns + ":user/ann": true, "arn:aws:iam::999999999999:user/other": true,
			"arn:aws:iam::999999999999:nobody/x": false, "AIDANONE": false, "AROAR2": true,
			"arn:aws:sts::" + testAccount + ":assumed-role/r":   false,
			"arn:aws:sts::" + testAccount + ":federated-user/f": true, "arn:aws:s3:::bucket": false,
			arns + ":role/r": false /* without its path */, "arn:aws:iam::x:root": false, "": false,
		} {
			if _, got := BindOne(tx, testAccount, element); got != want {
				t.Errorf("%q: got %v, want %v", element, got, want)
			}
		}
		return nil
	})
}
