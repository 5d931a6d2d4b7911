from dva_lens.cli import doctor


def test_the_doctor_names_versions_devices_and_backends(call):
    result = call("doctor")
    assert result.exit_code == 0, result.stderr
    for word in ("torch", "cpu:", "blocked", "auto selects"):
        assert word in result.stdout


def test_what_is_missing_is_named_with_the_way_to_get_it(call, monkeypatch):
    found = doctor.installed
    monkeypatch.setattr(
        doctor, "installed", lambda name: None if name in ("zarr", "datasets") else found(name)
    )
    result = call("doctor")
    assert result.exit_code == 1
    assert "MISSING" in result.stdout
    assert "pip install 'dva-lens[hub]'" in result.stdout
