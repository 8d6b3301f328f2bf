from datetime import UTC, datetime

from sqlalchemy import JSON, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "everyday_notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    data: Mapped[dict] = mapped_column(JSON)
    at: Mapped[datetime]


engine = create_engine("postgresql:///datasets")
Base.metadata.drop_all(engine)
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add(Note(text="grüße 🎉", data={"a": [1, None]}, at=datetime(2026, 1, 2, tzinfo=UTC)))
    session.commit()
    [note] = session.scalars(select(Note).where(Note.text.ilike("GRÜ%")))
    assert (note.data, note.at.year) == ({"a": [1, None]}, 2026)
